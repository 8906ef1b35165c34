/* What a plug-in needs to read before it gets images: its own file, libraries, models, and what settings name. */
#include "plugins/worker/worker_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const system_files[] = {
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/alternatives", /* libraries of numerical routines are chosen there */
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
#ifdef KITH_SANITIZED /* reports name functions */
    "/proc/self/maps",
    "/proc/self/exe",
#endif
};

/* Name resolution and certificate authorities. */
static const char *const network_files[] = {
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl",
    "/etc/pki",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
};

/* Settings that name files for plug-ins; each may hold several, separated by colons. */
static const char *const settings_of_files[] = {"models", "lbph_cascade", "grpc_ca", "plugin_files"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct file_list {
    const char **list;
    size_t count;
    char *text, *end;
    bool full;
};

static void files_add(struct file_list *l, const char *path, size_t len)
{
    if (len == 0)
        return;
    if (l->count == WORKER_FILES_MAX || len >= (size_t)(l->end - l->text)) {
        l->full = true;
        return;
    }
    memcpy(l->text, path, len);
    l->text[len] = 0;
    l->list[l->count++] = l->text;
    l->text += len + 1;
}

static void files_add_list(struct file_list *l, const char *paths)
{
    for (size_t n; *paths; paths += n + (paths[n] == ':')) {
        n = strcspn(paths, ":");
        files_add(l, paths, n);
    }
}

static bool files_is_listed(const char *setting)
{
    for (size_t i = 0; i < COUNT(settings_of_files); i++)
        if (strcmp(setting, settings_of_files[i]) == 0)
            return true;
    return false;
}

int files_list(const char *file, const struct kith_setting *settings, bool network, char *text, size_t size,
               const char *list[WORKER_FILES_MAX + 1], struct error *error)
{
    struct file_list l = {.list = list, .text = text, .end = text + size};
    const char *libraries = getenv("LD_LIBRARY_PATH");

    files_add(&l, file, strlen(file));
    for (size_t i = 0; i < COUNT(system_files); i++)
        files_add(&l, system_files[i], strlen(system_files[i]));
    for (size_t i = 0; network && i < COUNT(network_files); i++)
        files_add(&l, network_files[i], strlen(network_files[i]));
    files_add_list(&l, libraries ? libraries : "");
    for (const struct kith_setting *s = settings; s->name; s++)
        if (files_is_listed(s->name))
            files_add_list(&l, s->value);
    list[l.count] = NULL;
    return l.full ? error_set(error, -EINVAL, "too many files for a plug-in (KITH_PLUGIN_FILES)") : 0;
}
