/* The error line of a refused command. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

int cli_refuse(const char *format, ...)
{
    va_list args;

    fputs("kith: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 2;
}
