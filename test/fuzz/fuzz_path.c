/* Paths of clients: what is accepted is a clean name below a root, and no other file is ever opened. The root has
 * files, folders and symbolic links, one of which leads outside. */
#include "core/base/path.h"
#include "test/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[PATH_MAX];
static struct path_roots *roots;

static void fuzz_make_file(const char *name)
{
    char path[PATH_MAX + 64];
    int fd;

    snprintf(path, sizeof path, "%s/%s", base, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    fuzz_require(fd >= 0);
    close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char folder[] = "/tmp/kith-fuzz-XXXXXX", list[2 * PATH_MAX + 8];
    struct error error = {0};

    (void)argc, (void)argv;
    fuzz_require(mkdtemp(folder) && realpath(folder, base) && chdir(base) == 0);
    fuzz_require(mkdir("a", 0700) == 0 && mkdir("a/d", 0700) == 0 && mkdir("b", 0700) == 0 && mkdir("ab", 0700) == 0);
    fuzz_make_file("a/f");
    fuzz_make_file("a/d/g");
    fuzz_make_file("b/h");
    fuzz_make_file("ab/secret");
    fuzz_require(symlink("../ab/secret", "a/l") == 0 && symlink("../ab", "a/m") == 0);
    snprintf(list, sizeof list, "%s/a:%s/b", base, base);
    roots = path_roots_open(list, 0, &error);
    fuzz_require(roots != NULL);
    return 0;
}

static bool fuzz_is_below(const char *path, const char *root)
{
    char prefix[PATH_MAX + 8];

    snprintf(prefix, sizeof prefix, "%s/%s/", base, root);
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static void fuzz_check_name(const char *name)
{
    size_t len = strlen(name);

    fuzz_require(len > 0 && name[len - 1] != '/' && !strstr(name, "//"));
    for (const char *at = name; at; at = strchr(at, '/')) {
        size_t n;

        at += *at == '/';
        n = strcspn(at, "/");
        fuzz_require(!(n == 1 && at[0] == '.') && !(n == 2 && at[0] == '.' && at[1] == '.'));
    }
    fuzz_require(name[0] != '/' || fuzz_is_below(name, "a") || fuzz_is_below(name, "b"));
}

static void fuzz_open(const char *name)
{
    char link[64], real[PATH_MAX] = "";
    struct error error = {0};
    int fd = path_open(roots, name, &error);

    fuzz_require(fd >= 0 || error.text[0]);
    if (fd < 0)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    fuzz_require(readlink(link, real, sizeof real - 1) > 0);
    fuzz_require(fuzz_is_below(real, "a") || fuzz_is_below(real, "b"));
    close(fd);
}

/* “@” at the start of an input stands for the folder that holds the roots. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[PATH_MAX], text[PATH_MAX + 8192];
    size_t len = 0;
    struct error error = {0};

    if (size > 4096)
        return 0;
    if (size && data[0] == '@') {
        len = strlen(base);
        memcpy(text, base, len);
        data++, size--;
    }
    memcpy(text + len, data, size);
    len += size;
    if (path_resolve_text(roots, text, len, 4096, name, sizeof name, &error) == 0)
        fuzz_check_name(name);
    else
        fuzz_require(error.text[0]);
    if (path_normalize(roots, text, len, 4096, name, sizeof name, &error) == 0) {
        fuzz_check_name(name);
        fuzz_require(name[0] == '/');
        fuzz_open(name);
    }
    text[len] = 0;
    fuzz_open(text);
    return 0;
}
