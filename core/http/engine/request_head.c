#include "core/http/engine/request_head.h"

#include <string.h>
#include <strings.h>

#define HTTP2_PREFACE "PRI * HTTP/2"
#define VERSION       " HTTP/"

struct head_text {
    const char *at;
    size_t len;
};

struct head { /* what the lines have had so far */
    bool is_1_0;
    int hosts, lengths, encodings;
    uint64_t length;
};

size_t request_head_length(const char *bytes, size_t len, size_t from)
{
    size_t at = from > 3 ? from - 3 : 0;

    if (at < 2 && len >= 2 && bytes[0] == '\r' && bytes[1] == '\n')
        at = 2; /* an empty line before the request, as old clients send after a body */
    else if (at < 1 && len && bytes[0] == '\n')
        at = 1;
    for (; at < len; at++) {
        if (bytes[at] != '\n')
            continue;
        if (at + 1 < len && bytes[at + 1] == '\n')
            return at + 2;
        if (at + 2 < len && bytes[at + 1] == '\r' && bytes[at + 2] == '\n')
            return at + 3;
    }
    return 0;
}

bool request_head_is_http(const char *bytes, size_t len)
{
    size_t start = len >= 2 && bytes[0] == '\r' && bytes[1] == '\n' ? 2 : len && bytes[0] == '\n' ? 1 : 0;
    const char *line = bytes + start, *end = memchr(line, '\n', len - start);

    for (; end && line + strlen(VERSION) <= end; line++)
        if (memcmp(line, VERSION, strlen(VERSION)) == 0)
            return true;
    return !end;
}

static bool head_is_token(struct head_text text)
{
    static const char letters[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (size_t i = 0; i < text.len; i++)
        if (!text.at[i] || !strchr(letters, text.at[i]))
            return false;
    return text.len > 0;
}

/* Control characters in `text`; a tab is one unless `tabs`. */
static bool head_has_control(struct head_text text, bool tabs)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        if ((c < 0x20 && !(tabs && c == '\t')) || c == 0x7f)
            return true;
    }
    return false;
}

static bool head_is_word(struct head_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static bool head_read_number(struct head_text text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        *value = *value > (UINT64_MAX - 9) / 10 ? UINT64_MAX : *value * 10 + (uint64_t)(text.at[i] - '0');
    }
    return text.len > 0;
}

/* METHOD SP TARGET SP HTTP/1.x */
static const char *head_check_first(struct head *head, struct head_text line)
{
    const char *end = line.at + line.len, *space = memchr(line.at, ' ', line.len), *last;
    struct head_text version;

    if (!space || !head_is_token((struct head_text){line.at, (size_t)(space - line.at)}))
        return "The request line does not begin with a method.";
    last = memchr(space + 1, ' ', (size_t)(end - space - 1));
    if (!last || last == space + 1 || head_has_control(line, false))
        return "The request line is not a method, a target and a version, each separated by one space.";
    version = (struct head_text){last + 1, (size_t)(end - last - 1)};
    if (version.len != 8 || memcmp(version.at, "HTTP/1.", 7) != 0 || version.at[7] < '0' || version.at[7] > '9')
        return "The request line does not end in HTTP/1.0 or HTTP/1.1.";
    head->is_1_0 = version.at[7] == '0';
    return NULL;
}

static const char *head_check_known(struct head *head, struct head_text name, struct head_text value)
{
    if (head_is_word(name, "host") && ++head->hosts > 1)
        return "The header “host” is given more than once.";
    if (head_is_word(name, "content-length")) {
        if (++head->lengths > 1)
            return "The header “content-length” is given more than once.";
        if (!head_read_number(value, &head->length))
            return "The header “content-length” is not a number.";
    }
    if (head_is_word(name, "transfer-encoding")) {
        if (++head->encodings > 1)
            return "The header “transfer-encoding” is given more than once.";
        if (!head_is_word(value, "chunked") || head->is_1_0)
            return "The header “transfer-encoding” may only be “chunked”, in HTTP/1.1.";
    }
    return NULL;
}

static const char *head_check_line(struct head *head, struct head_text line)
{
    const char *colon = memchr(line.at, ':', line.len);
    struct head_text name, value;

    if (line.at[0] == ' ' || line.at[0] == '\t')
        return "A header is folded over several lines.";
    if (!colon)
        return "A header has no colon.";
    name = (struct head_text){line.at, (size_t)(colon - line.at)};
    if (!head_is_token(name))
        return "The name of a header has a character that no name may have, such as a space before the colon.";
    value = (struct head_text){colon + 1, line.len - name.len - 1};
    if (head_has_control(value, true))
        return "The value of a header has a control character.";
    while (value.len && (value.at[0] == ' ' || value.at[0] == '\t'))
        value.at++, value.len--;
    while (value.len && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
        value.len--;
    return head_check_known(head, name, value);
}

const char *request_head_error(const char *bytes, size_t len, struct request_framing *framing)
{
    struct head head = {0};
    const char *at = bytes, *end = bytes + len, *why = NULL;

    *framing = (struct request_framing){.http2 = len >= strlen(HTTP2_PREFACE) &&
                                                 memcmp(bytes, HTTP2_PREFACE, strlen(HTTP2_PREFACE)) == 0};
    if (framing->http2)
        return NULL;
    if (len >= 2 && memcmp(at, "\r\n", 2) == 0)
        at += 2;
    for (int n = 0; !why && at < end; n++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct head_text line;

        if (!stop || stop == at || stop[-1] != '\r')
            return "A line does not end in CR LF.";
        line = (struct head_text){at, (size_t)(stop - at) - 1};
        at = stop + 1;
        if (line.len == 0 && at == end)
            break;
        why = n == 0 ? head_check_first(&head, line) : head_check_line(&head, line);
    }
    if (!why && head.lengths && head.encodings)
        why = "The headers “content-length” and “transfer-encoding” exclude each other.";
    if (!why && !head.hosts && !head.is_1_0)
        why = "The header “host” is missing.";
    framing->chunked = head.encodings > 0;
    framing->length = head.length;
    return why;
}
