#include "core/base/settings/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t secret_read_open(int fd, const char *file, const char *origin, char *text, size_t size,
                                struct error *error)
{
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;

    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
        return error_set(error, -EINVAL, "%s: %s is not a file", origin, file);
    if (st.st_mode & S_IROTH)
        return error_set(error, -EPERM, "%s: %s can be read by everybody; chmod o-r it", origin, file);
    while (n > 0 && len < size) {
        n = read(fd, text + len, size - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        return error_set(error, -errno, "%s: cannot read %s: %s", origin, file, strerror(errno));
    if (len == size)
        return error_set(error, -E2BIG, "%s: %s has more than %zu bytes", origin, file, size - 1);
    text[len] = 0;
    return (ssize_t)len;
}

ssize_t secret_read(const char *file, const char *origin, char *text, size_t size, struct error *error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n;

    if (fd < 0)
        return error_set(error, -errno, "%s: cannot read %s: %s", origin, file, strerror(errno));
    n = secret_read_open(fd, file, origin, text, size, error);
    close(fd);
    return n;
}

ssize_t secret_read_line(const char *file, const char *origin, char text[static SECRET_BYTES], struct error *error)
{
    ssize_t n = secret_read(file, origin, text, SECRET_BYTES, error);

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        text[--n] = 0;
    return n;
}
