#include "core/base/settings/settings.h"

#include "core/base/must.h"
#include "core/base/settings/secret.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_text, KIND_secret, KIND_choice, KIND_count, KIND_duration, KIND_size, KIND_number };

/* The `min` column: the least value of a number, or the values of a choice. */
union bound {
    double number;
    const char *words;
};

struct row {
    const char *field;
    enum kind kind;
    const char *initial, *meaning;
    double min, max;
    const char *words;
    size_t offset;
};

#define ROW_MIN(x)   _Generic((x), char * : 0, default : (x))
#define ROW_WORDS(x) _Generic((x), char * : (x), default : NULL)

static const struct row rows[] = {
#define SETTING(field, kind, initial, min, max, meaning)                                                               \
    {#field,                                                                                                           \
     KIND_##kind,                                                                                                      \
     initial,                                                                                                          \
     meaning,                                                                                                          \
     (double)ROW_MIN(min),                                                                                             \
     (double)(max),                                                                                                    \
     (const char *)ROW_WORDS(min),                                                                                     \
     offsetof(struct settings, field)},
#include "core/base/settings/settings_table.h"
#undef SETTING
};

enum { ROWS = sizeof rows / sizeof rows[0], VALUE_MAX = 8192 };

struct settings_book {
    struct settings values;
    char *text[ROWS]; /* as given */
    char *file[ROWS]; /* of a secret that was read from one, else NULL */
    enum setting_source source[ROWS];
};

/* Variables of other programs that set a setting of kith. */
static const struct alias {
    const char *variable, *field, *prefix;
} aliases[] = {
    {"KNOWN_PEOPLE", "known_people", ""},
    {"GRPC_ADDRESS", "grpc_address", ""},
    {"FRONTEND_PORT", "dashboard_listen", "127.0.0.1:"},
};

static int settings_find_row(const char *field, size_t len)
{
    for (int i = 0; i < ROWS; i++)
        if (strlen(rows[i].field) == len && strncasecmp(rows[i].field, field, len) == 0)
            return i;
    return -1;
}

static void settings_variable_name(const struct row *row, char name[static 64])
{
    size_t n = (size_t)snprintf(name, 64, "KITH_%s", row->field);

    for (size_t i = 5; i < n; i++)
        name[i] = (char)toupper((unsigned char)name[i]);
}

struct unit {
    const char *name;
    double factor;
};

/* Decimal digits with at most one point, and a unit. `negative`: also a sign and an exponent. strtod alone would take
 * hexadecimal numbers, "inf" and leading spaces. */
static int settings_scale(const char *text, const struct unit *units, bool negative, double *value)
{
    const char *at = text + (negative && *text == '-');
    char *end;

    if (!isdigit((unsigned char)*at) || (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')))
        return -EINVAL;
    errno = 0;
    *value = strtod(text, &end);
    if (errno || !isfinite(*value) || end[-1] == '.' || (!negative && memchr(text, 'e', (size_t)(end - text))) ||
        (!negative && memchr(text, 'E', (size_t)(end - text))))
        return -EINVAL;
    for (; units->name; units++) {
        if (strcasecmp(end, units->name) == 0) {
            *value *= units->factor;
            return 0;
        }
    }
    return -EINVAL;
}

/* The same for what is kept as an integer. "1.5s" is 1500 ms; a fraction of a millisecond, a byte or a count is an
 * error. */
static int settings_scale_whole(const char *text, const struct unit *units, double *value)
{
    enum { PER_MILLION = 1000000 };
    double whole;

    if (settings_scale(text, units, false, value) < 0)
        return -EINVAL;
    whole = round(*value);
    if (fabs(*value - whole) * PER_MILLION > 1)
        return -EINVAL;
    *value = whole;
    return 0;
}

static const struct unit durations[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}, {"d", 864e5}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},        {"b", 1},           {"kb", 1024},      {"k", 1024}, {"mb", 1048576},
                                    {"m", 1048576}, {"gb", 1073741824}, {"g", 1073741824}, {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

int settings_duration(const char *text, int64_t *ms)
{
    double value;

    if (settings_scale_whole(text, durations, &value) < 0 || value > 1e15)
        return -EINVAL;
    *ms = (int64_t)value;
    return 0;
}

static bool settings_is_choice(const char *text, const char *words)
{
    size_t len = strlen(text);

    for (const char *at = words; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == len && strncmp(at, text, len) == 0)
            return true;
    return false;
}

static int settings_set_number(struct settings_book *book, int i, const char *text, const char *origin,
                               struct error *error)
{
    const struct row *row = &rows[i];
    const struct unit *units = row->kind == KIND_duration ? durations : row->kind == KIND_size ? sizes : plain;
    void *field = (char *)&book->values + row->offset;
    double value;
    int status = row->kind == KIND_number ? settings_scale(text, units, true, &value)
                                          : settings_scale_whole(text, units, &value);

    if (status < 0)
        return error_set(error, -EINVAL, "%s: “%.100s” is not a %s", origin, text,
                         row->kind == KIND_duration ? "duration (250ms, 30s, 5m, 1h)"
                         : row->kind == KIND_size   ? "size (64KB, 16MB, 2GB)"
                         : row->kind == KIND_count  ? "whole number"
                                                    : "number");
    if (value < row->min || value > row->max)
        return error_set(error, -ERANGE, "%s: %.100s is outside %.15g to %.15g", origin, text, row->min, row->max);
    if (row->kind == KIND_number)
        *(double *)field = value;
    else
        *(int64_t *)field = (int64_t)value;
    return 0;
}

static int settings_set(struct settings_book *book, int i, const char *text, enum setting_source source,
                        const char *origin, struct error *error)
{
    const struct row *row = &rows[i];
    char *copy = strdup(text);

    if (!copy)
        out_of_memory();
    free(book->text[i]);
    free(book->file[i]);
    book->file[i] = NULL;
    book->text[i] = copy;
    book->source[i] = source;
    switch (row->kind) {
    case KIND_choice:
        if (!settings_is_choice(copy, row->words) && (*copy || *row->initial)) /* empty only where it is the default */
            return error_set(error, -EINVAL, "%s: “%.100s” is not one of %s", origin, copy, row->words);
        /* fall through */
    case KIND_text:
    case KIND_secret:
        *(const char **)((char *)&book->values + row->offset) = copy;
        return 0;
    default:
        return settings_set_number(book, i, copy, origin, error);
    }
}

static int settings_set_from_file(struct settings_book *book, int i, const char *file, const char *origin,
                                  struct error *error)
{
    char text[SECRET_BYTES];
    ssize_t n = secret_read_line(file, origin, text, error);
    int status = n < 0 ? -EINVAL : settings_set(book, i, text, FROM_FILE, origin, error);

    if (status == 0)
        book->file[i] = must(strdup(file));
    return status;
}

/* Kubernetes sets such variables for every service named kith. */
static bool settings_is_kubernetes(const char *name)
{
    size_t n = strlen(name);

    if (n > 13 && strcmp(name + n - 13, "_SERVICE_HOST") == 0)
        return true;
    return strstr(name, "_SERVICE_PORT") || strstr(name, "_PORT_") || (n > 5 && strcmp(name + n - 5, "_PORT") == 0);
}

static int settings_set_by_variable(struct settings_book *book, const char *name, const char *value,
                                    enum setting_source source, struct error *error)
{
    size_t n = strlen(name);
    int i = settings_find_row(name + 5, n - 5);

    if (i >= 0)
        return settings_set(book, i, value, source, name, error);
    if (n > 10 && strcmp(name + n - 5, "_FILE") == 0) {
        i = settings_find_row(name + 5, n - 10);
        if (i >= 0 && rows[i].kind == KIND_secret)
            return settings_set_from_file(book, i, value, name, error);
    }
    if (settings_is_kubernetes(name))
        return 0;
    return error_set(error, -EINVAL, "%s: there is no such setting; “kith help settings” lists them", name);
}

static int settings_set_from_pair(struct settings_book *book, char *pair, enum setting_source source,
                                  struct error *error)
{
    char *value = strchr(pair, '=');
    int status;

    if (!value || strncmp(pair, "KITH_", 5) != 0)
        return 0;
    *value = 0;
    status = settings_set_by_variable(book, pair, value + 1, source, error);
    *value = '=';
    return status;
}

static int settings_read_dotenv(struct settings_book *book, struct error *error)
{
    FILE *f = fopen(".env", "re");
    char line[VALUE_MAX];
    int status = 0;

    if (!f)
        return 0;
    while (status == 0 && fgets(line, sizeof line, f)) {
        char *at = line + strspn(line, " \t"), *value;
        size_t n;

        at[strcspn(at, "\r\n")] = 0;
        if (strncmp(at, "export ", 7) == 0)
            at += 7;
        if (*at == '#' || !(value = strchr(at, '=')))
            continue;
        n = strlen(value + 1);
        if (n >= 2 && (value[1] == '"' || value[1] == '\'') && value[n] == value[1]) {
            value[n] = 0;
            memmove(value + 1, value + 2, n - 1);
        }
        status = settings_set_from_pair(book, at, FROM_DOTENV, error);
    }
    fclose(f);
    return status;
}

static int settings_read_aliases(struct settings_book *book, struct error *error)
{
    char text[VALUE_MAX];
    const char *host = getenv("MYSQL_CONNECTION"), *port = getenv("MYSQL_PORT"), *name = getenv("MYSQL_DBNAME"),
               *password = getenv("MYSQL_USERPASSWORD");

    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        const char *value = getenv(aliases[i].variable);

        if (!value)
            continue;
        snprintf(text, sizeof text, "%s%s", aliases[i].prefix, value[0] == ':' ? value + 1 : value);
        if (settings_set(book, settings_find_row(aliases[i].field, strlen(aliases[i].field)), text, FROM_ALIAS,
                         aliases[i].variable, error) < 0)
            return -EINVAL;
    }
    if (host && *host) {
        snprintf(text, sizeof text, "mariadb://root@%s:%s/%s", host, port ? port : "3306", name ? name : "kube");
        if (settings_set(book, settings_find_row("database", 8), text, FROM_ALIAS, "MYSQL_CONNECTION", error) < 0)
            return -EINVAL;
    }
    if (password)
        return settings_set(book, settings_find_row("database_password", 17), password, FROM_ALIAS,
                            "MYSQL_USERPASSWORD", error);
    return 0;
}

static int settings_read_environment(struct settings_book *book, char *const *environment, struct error *error)
{
    for (; *environment; environment++) {
        char pair[VALUE_MAX];

        if (strncmp(*environment, "KITH_", 5) != 0)
            continue;
        if (strlen(*environment) >= sizeof pair)
            return error_set(error, -E2BIG, "%.40s…: the value is longer than %d bytes", *environment, VALUE_MAX - 64);
        strcpy(pair, *environment);
        if (settings_set_from_pair(book, pair, FROM_ENVIRONMENT, error) < 0)
            return -EINVAL;
    }
    return 0;
}

static int settings_read_flags(struct settings_book *book, int argc, char **argv, int *rest, struct error *error)
{
    int kept = 0;

    for (int i = 1; i < argc; i++) {
        char *arg = argv[i], *value, field[64];
        size_t n;
        int row;

        if (strncmp(arg, "--", 2) != 0) {
            argv[kept++] = arg;
            continue;
        }
        value = strchr(arg, '=');
        n = value ? (size_t)(value - arg) - 2 : strlen(arg) - 2;
        for (size_t c = 0; c < n && c < sizeof field; c++)
            field[c] = arg[2 + c] == '-' ? '_' : arg[2 + c];
        row = n < sizeof field ? settings_find_row(field, n) : -1;
        if (row < 0) { /* it may be a flag of the subcommand */
            argv[kept++] = arg;
            continue;
        }
        if (!value && rows[row].kind == KIND_choice && settings_is_choice("on", rows[row].words) &&
            (i + 1 == argc || !settings_is_choice(argv[i + 1], rows[row].words))) { /* a switch: --flat */
            if (settings_set(book, row, "on", FROM_FLAG, arg, error) < 0)
                return -EINVAL;
            continue;
        }
        if (!value && i + 1 == argc)
            return error_set(error, -EINVAL, "%s: needs a value", arg);
        if (rows[row].kind == KIND_secret)
            return error_set(error, -EINVAL,
                             "%s: other users can read the command line; set a secret by the "
                             "environment or a file",
                             arg);
        if (settings_set(book, row, value ? value + 1 : argv[++i], FROM_FLAG, arg, error) < 0)
            return -EINVAL;
    }
    *rest = kept;
    return 0;
}

struct settings_book *settings_load(int argc, char **argv, int *rest, char *const *environment, struct error *error)
{
    struct settings_book *book = calloc(1, sizeof *book);

    if (!book)
        out_of_memory();
    for (int i = 0; i < ROWS; i++)
        if (settings_set(book, i, rows[i].initial, FROM_DEFAULT, rows[i].field, error) < 0)
            goto fail;
    if (settings_read_dotenv(book, error) < 0 || settings_read_aliases(book, error) < 0 ||
        settings_read_environment(book, environment, error) < 0 ||
        settings_read_flags(book, argc, argv, rest, error) < 0)
        goto fail;
    return book;
fail:
    settings_free(book);
    return NULL;
}

void settings_free(struct settings_book *book)
{
    if (!book)
        return;
    for (int i = 0; i < ROWS; i++) {
        free(book->text[i]);
        free(book->file[i]);
    }
    free(book);
}

const struct settings *settings_of(const struct settings_book *book)
{
    return &book->values;
}

const char *settings_secret_file(const struct settings_book *book, const char *secret)
{
    for (int i = 0; i < ROWS; i++)
        if (book->text[i] == secret)
            return book->file[i];
    return NULL;
}

void settings_print(const struct settings_book *book, struct buf *out)
{
    static const char *const sources[] = {"default", ".env", "environment", "alias", "file", "flag"};

    for (int i = 0; i < ROWS; i++) {
        char name[64];
        const char *text = book->text[i];

        settings_variable_name(&rows[i], name);
        if (rows[i].kind == KIND_secret && *text)
            text = "********";
        buf_printf(out, "%s=%s  # %s\n", name, text, sources[book->source[i]]);
    }
}

void settings_help(struct buf *out)
{
    for (int i = 0; i < ROWS; i++) {
        char name[64];

        settings_variable_name(&rows[i], name);
        buf_printf(out, "%s=%s\n    %s", name, rows[i].initial, rows[i].meaning);
        if (rows[i].words)
            buf_printf(out, " (%s)", rows[i].words);
        buf_str(out, "\n");
    }
}

int settings_texts(const struct settings_book *book, const char **names, const char **texts, int max)
{
    int count = 0;

    for (int i = 0; i < ROWS && count < max; i++) {
        if (rows[i].kind == KIND_secret)
            continue;
        names[count] = rows[i].field;
        texts[count++] = book->text[i];
    }
    return count;
}
