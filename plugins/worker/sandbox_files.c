#include "plugins/worker/sandbox_files.h"

#include "plugins/worker/sandbox_landlock.h"
#include "plugins/worker/sandbox_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static bool sandbox_files_are_readable(const char *const *paths)
{
    for (; *paths; paths++)
        if (faccessat(AT_FDCWD, *paths, R_OK, AT_EACCESS) < 0 && errno == EACCES)
            return false;
    return true;
}

/* For root only. Changes nothing when `nobody` may not read one of the paths. */
static bool sandbox_files_drop_user(const char *const *paths)
{
    if (geteuid() != 0 || setegid(NOBODY) < 0)
        return false;
    if (seteuid(NOBODY) == 0 && sandbox_files_are_readable(paths) && seteuid(0) == 0 && setgroups(0, NULL) == 0 &&
        setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0)
        return true;
    if (seteuid(0) < 0 || setegid(0) < 0)
        _exit(1); /* half changed: neither root nor nobody */
    return false;
}

enum sandbox_files sandbox_files_restrict(const char *const *paths)
{
    if (sandbox_landlock_enter(paths))
        return SANDBOX_FILES_LANDLOCK;
    if (sandbox_namespace_enter(paths))
        return SANDBOX_FILES_NAMESPACE;
    return sandbox_files_drop_user(paths) ? SANDBOX_FILES_USER : SANDBOX_FILES_NONE;
}
