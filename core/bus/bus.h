/* The message bus of a cluster: a NATS connection that comes and goes.
 *
 * All calls into the library happen on a thread of the bus's own, for some of them wait for the server and the loop may
 * not. What is published waits in a queue with a limit in bytes: at the limit it is refused, so a server that is frozen
 * or away costs no memory. Nothing here is a promise of delivery: publishing says that it was queued, no more.
 *
 * What comes in is handed to the loop: `on_message`, `on_state` run there. A connection that cannot be restored is
 * thrown away and made anew, with all subscriptions, for ever.
 */
#ifndef KITH_CORE_BUS_BUS_H
#define KITH_CORE_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct bus;

struct bus_message { /* all of it borrowed for the call */
    const char *subject;
    const char *reply;  /* where the sender wants its answer; NULL: nowhere */
    const char *status; /* of a message from the server itself ("404", "503", …); NULL: an ordinary one */
    const char *words;  /* that go with the status */
    const void *data;
    size_t len;
};

struct bus_options { /* texts are borrowed for the bus's life; NULL or "": not used */
    uv_loop_t *loop;
    const char *servers; /* "nats://host:4222", several with commas between */
    const char *name;    /* of this client, for the server's lists */
    const char *user, *password, *token;
    const char *creds_file, *nkey_seed_file; /* of decentralized authentication */
    const char *ca_file;                     /* speak TLS, and trust these authorities */
    const char *const *subjects;             /* what to listen to; ends with NULL */
    size_t max_queued_bytes;
    void (*on_message)(void *context, const struct bus_message *m);
    /* Connected or not; `words` say why not, and name the setting when it is one's fault. */
    void (*on_state)(void *context, bool connected, const char *words);
    void *context;
};

/* Starts connecting. Never fails: a server that is not there is waited for. */
struct bus *bus_new(const struct bus_options *options);

/* Loop thread. Copies subject, reply and data. False when the queue is full or there is no connection, or no bus. */
bool bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data, size_t len);

/* Ends the threads, closes the connection. Run the loop once more to finish its handle. */
void bus_free(struct bus *bus);

struct bus_stats {
    uint64_t sent, received, refused, connects;
    size_t queued_bytes;
};
struct bus_stats bus_stats(struct bus *bus);

#endif
