#include "plugins/shared/loader.h"

#include "plugins/shared/cpu_count.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef KITH_PLUGIN_FOLDER
#define KITH_PLUGIN_FOLDER "lib/kith"
#endif

/* An embedding must fit into one packet (protocol.h). */
enum { DIMENSION_MAX = 32768 };

/* The limit of KITH_WORKERS. */
enum { WORKERS_MAX = 256 };

int loader_check(const struct kith_recognizer *r, struct error *error)
{
    if (!r || r->magic != KITH_RECOGNIZER_MAGIC)
        return error_set(error, -EINVAL, "this is not a kith recogniser (magic %#x, expected %#x)", r ? r->magic : 0,
                         KITH_RECOGNIZER_MAGIC);
    if (r->abi != KITH_RECOGNIZER_ABI)
        return error_set(error, -EINVAL, "it was built for recogniser ABI %u, this kith has ABI %u", r->abi,
                         KITH_RECOGNIZER_ABI);
    if (r->size < KITH_RECOGNIZER_LEAST)
        return error_set(error, -EINVAL, "its descriptor has %u bytes, ABI %u needs at least %zu", r->size, r->abi,
                         KITH_RECOGNIZER_LEAST);
    if (!r->name || !r->name[0] || !r->version || !r->model_id || !r->model_id[0])
        return error_set(error, -EINVAL, "its name, version or model id is missing");
    if (!r->open || !r->health || !r->recognize || !r->close)
        return error_set(error, -EINVAL, "its open, health, recognize or close function is missing");
    if (r->dimension > DIMENSION_MAX)
        return error_set(error, -EINVAL, "its embeddings have %u numbers; the limit is %d", r->dimension,
                         DIMENSION_MAX);
    if (r->dimension && (r->metric < KITH_METRIC_L2 || r->metric > KITH_METRIC_CHI_SQUARE))
        return error_set(error, -EINVAL, "its metric is %u; known are 1 (L2), 2 (cosine) and 3 (chi-square)",
                         r->metric);
    if (!isfinite(r->threshold) || r->threshold <= 0)
        return error_set(error, -EINVAL, "its threshold is %g; it must be a number above 0", r->threshold);
    if (r->needs &
        ~(uint32_t)(KITH_NEEDS_PIXELS | KITH_NEEDS_BYTES | KITH_NEEDS_PATH | KITH_NEEDS_NETWORK | KITH_NEEDS_QUALITY))
        return error_set(error, -EINVAL, "it needs what this kith does not have (flags %#x)", r->needs);
    return 0;
}

const struct kith_recognizer *loader_open(const char *file, struct error *error)
{
    const struct kith_recognizer *r;
    kith_recognizer_fn describe;
    struct error why = {0};
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (!object) {
        error_set(error, -ENOENT, "plug-in %s", dlerror());
        return NULL;
    }
    describe = (kith_recognizer_fn)(uintptr_t)dlsym(object, "kith_recognizer_get");
    if (!describe) {
        error_set(error, -EINVAL, "plug-in %s: it exports no kith_recognizer_get", file);
        return NULL;
    }
    r = describe();
    if (loader_check(r, &why) < 0) {
        error_set(error, why.code, "plug-in %s: %s", file, why.text);
        return NULL;
    }
    return r;
}

static bool loader_find_beside_program(const char *below, const char *name, char *file, size_t size)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    if (n <= 0)
        return 0;
    program[n] = 0;
    slash = strrchr(program, '/');
    *slash = 0;
    return snprintf(file, size, "%s/%s/%s.so", program, below, name) < (int)size && access(file, R_OK) == 0;
}

int loader_find(const char *recognizer, const char *folder, char *file, size_t file_size, struct error *error)
{
    if (strchr(recognizer, '/')) {
        if (snprintf(file, file_size, "%s", recognizer) < (int)file_size && access(file, R_OK) == 0)
            return 0;
        return error_set(error, -ENOENT, "KITH_RECOGNIZER: there is no plug-in %s", recognizer);
    }
    if (folder[0]) {
        if (snprintf(file, file_size, "%s/%s.so", folder, recognizer) < (int)file_size && access(file, R_OK) == 0)
            return 0;
        return error_set(error, -ENOENT, "KITH_RECOGNIZER: there is no plug-in “%s” in %s (KITH_PLUGINS)", recognizer,
                         folder);
    }
    if (loader_find_beside_program("plugins", recognizer, file, file_size) ||
        loader_find_beside_program("../" KITH_PLUGIN_FOLDER, recognizer, file, file_size))
        return 0;
    return error_set(error, -ENOENT,
                     "KITH_RECOGNIZER: there is no plug-in “%s” beside the program (KITH_PLUGINS names another folder)",
                     recognizer);
}

static bool loader_is_remote(const char *recognizer)
{
    return strcmp(recognizer, "grpc") == 0;
}

bool loader_has_network(const char *recognizer, const char *setting)
{
    return loader_is_remote(recognizer) || strcmp(setting, "on") == 0;
}

uint32_t loader_workers(const char *recognizer)
{
    const uint32_t cpus = loader_is_remote(recognizer) ? 1 : cpu_count();

    return cpus < WORKERS_MAX ? cpus : WORKERS_MAX;
}
