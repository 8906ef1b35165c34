#include "core/bus/stream_messages.h"

#include "core/bus/bus_internal.h"

#include <errno.h>
#include <string.h>

/* Some messages were consumed meanwhile: 10037 (no message found) is no error. */
static natsStatus stream_read(jsCtx *js, const char *stream, stream_message_fn each, void *context)
{
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    natsStatus s = js_GetStreamInfo(&info, js, stream, NULL, &code);
    bool any = s == NATS_OK && info->State.Msgs > 0; /* else there are no numbers */
    uint64_t first = any ? info->State.FirstSeq : 1, last = any ? info->State.LastSeq : 0;

    jsStreamInfo_Destroy(info);
    for (uint64_t n = first; s == NATS_OK && n <= last; n++) {
        natsMsg *m = NULL;

        s = js_GetMsg(&m, js, stream, n, NULL, &code);
        if (s == NATS_OK)
            each(context, stream, natsMsg_GetSubject(m), natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
        natsMsg_Destroy(m);
        if (s != NATS_OK && code == JSNoMessageFoundErr)
            s = NATS_OK;
    }
    return s;
}

static natsStatus stream_read_all(natsConnection *nc, const char *prefix, stream_message_fn each, void *context,
                                  int *count)
{
    jsStreamNamesList *names = NULL;
    size_t n = strlen(prefix);
    jsErrCode code = 0;
    jsCtx *js = NULL;
    natsStatus s = natsConnection_JetStream(&js, nc, NULL);

    if (s == NATS_OK)
        s = js_StreamNames(&names, js, NULL, &code);
    for (int i = 0; s == NATS_OK && names && i < names->Count; i++)
        if (strncmp(names->List[i], prefix, n) == 0 && names->List[i][n] == '_') {
            ++*count;
            s = stream_read(js, names->List[i], each, context);
        }
    jsStreamNamesList_Destroy(names);
    jsCtx_Destroy(js);
    /* a server without streams answers that it has found none, one without JetStream that nobody responds */
    return s == NATS_NOT_FOUND || s == NATS_NO_RESPONDERS || code == JSNotEnabledErr ? NATS_OK : s;
}

int stream_messages_read(const struct bus_options *options, const char *prefix, stream_message_fn each, void *context,
                         struct error *error)
{
    static const char *const no_subjects[] = {NULL};
    struct bus bus = {.o = *options};
    natsConnection *nc = NULL;
    natsStatus s;
    int count = 0;

    bus.o.subjects = no_subjects;
    bus.o.on_state = NULL;
    s = bus_connect(&bus, &nc);
    if (s == NATS_OK)
        s = stream_read_all(nc, prefix, each, context, &count);
    bus_disconnect(&bus, nc);
    if (s == NATS_OK)
        return count;
    if (bus.error.text[0]) {
        *error = bus.error;
        return bus.error.code < 0 ? bus.error.code : -EIO;
    }
    return error_set(error, -EIO, "KITH_NATS: %s: %s", options->servers, natsStatus_GetText(s));
}
