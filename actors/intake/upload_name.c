#include "actors/intake/upload_name.h"

#include "core/base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* --- Content-Disposition --- */

static const char *upload_name_skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static size_t upload_name_token(const char *at)
{
    size_t n = 0;

    while (isalnum((unsigned char)at[n]) || (at[n] && strchr("!#$%&'*+-.^_`|~", at[n])))
        n++;
    return n;
}

/* A token or a quoted string. Returns what follows, or NULL. In a quoted string a backslash before another character
 * than a quote or a backslash stays: programs write the paths of Windows so. */
static const char *upload_name_value(const char *at, char *value)
{
    size_t n = upload_name_token(at);

    if (n) {
        memcpy(value, at, n);
        value[n] = 0;
        return at + n;
    }
    if (*at++ != '"')
        return NULL;
    for (; *at && *at != '"'; at++) {
        at += *at == '\\' && (at[1] == '"' || at[1] == '\\');
        *value++ = *at;
    }
    *value = 0;
    return *at ? at + 1 : NULL;
}

static int upload_name_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* UTF-8'language'text, with bytes as %XX (RFC 8187), in place. */
static int upload_name_decode(char *value)
{
    char *quote = strchr(value, '\''), *from = quote ? strchr(quote + 1, '\'') : NULL, *to = value;

    if (!from || strncasecmp(value, "UTF-8'", 6) != 0)
        return -EINVAL;
    for (from++; *from; from++) {
        int high, low;

        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        high = upload_name_digit(from[1]);
        low = high < 0 ? -1 : upload_name_digit(from[2]);
        if (low < 0 || high * 16 + low == 0)
            return -EINVAL;
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = 0;
    return 0;
}

int upload_name_parse(const char *header, char *name, size_t size)
{
    const char *at = upload_name_skip_blanks(header);
    size_t n = upload_name_token(at);
    char value[UPLOAD_HEADER_BYTES];
    int found = -ENOENT;

    assert(size > strlen(header) && sizeof value > strlen(header));
    if (n == 0)
        return -EINVAL;
    for (at = upload_name_skip_blanks(at + n); *at == ';'; at = upload_name_skip_blanks(at)) {
        const char *parameter = upload_name_skip_blanks(at + 1);
        bool extended;

        n = upload_name_token(parameter);
        at = upload_name_skip_blanks(parameter + n);
        if (n == 0 || *at != '=' || !(at = upload_name_value(upload_name_skip_blanks(at + 1), value)))
            return -EINVAL;
        extended = n == 9 && strncasecmp(parameter, "filename*", n) == 0;
        if (!extended && (found == 0 || n != 8 || strncasecmp(parameter, "filename", n) != 0))
            continue;
        if (extended && upload_name_decode(value) < 0)
            return -EINVAL;
        strcpy(name, value);
        found = 0;
        if (extended)
            return 0;
    }
    return *at ? -EINVAL : found;
}

/* --- the request --- */

static const char *upload_name_base(const char *name)
{
    const char *slash = strrchr(name, '/'), *backslash = strrchr(name, '\\');

    return slash > backslash ? slash + 1 : backslash ? backslash + 1 : name;
}

static bool upload_name_has_control(const char *name)
{
    while (*name && (unsigned char)*name >= 0x20 && *name != 0x7f)
        name++;
    return *name != 0;
}

bool upload_name_take(struct http_request *request, char name[static UPLOAD_NAME_BYTES])
{
    char query[HTTP_QUERY_MAX], header[UPLOAD_HEADER_BYTES], parsed[UPLOAD_HEADER_BYTES];
    const char *given = query;

    name[0] = 0;
    if (!http_request_query(request, "filename", query, sizeof query)) {
        int result = http_request_header(request, "content-disposition", header, sizeof header)
                         ? upload_name_parse(header, parsed, sizeof parsed)
                         : -ENOENT;

        if (result == -EINVAL)
            http_problem(request, 400, "bad-header",
                         "The header “content-disposition” is not as RFC 6266 defines it, or its name is not UTF-8.");
        if (result < 0)
            return result == -ENOENT;
        given = parsed;
    }
    given = upload_name_base(given);
    if (!given[0] || strlen(given) >= UPLOAD_NAME_BYTES || !text_is_utf8(given) || upload_name_has_control(given)) {
        http_problem(request, 400, "wrong-value",
                     "“filename” has %zu bytes behind its folders; it must have 1 to %d, in UTF-8, and no control "
                     "character.",
                     strlen(given), UPLOAD_NAME_BYTES - 1);
        return false;
    }
    strcpy(name, given);
    return true;
}
