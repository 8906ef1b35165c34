/* The message bus of a cluster: a NATS connection that is restored whenever it is lost.
 *
 * All calls into the library run on a thread of the bus, because some of them wait for the server and the loop thread
 * must not. Published messages wait in a queue with a limit in bytes; at the limit they are refused, so a frozen or
 * absent server costs no memory. Delivery is not promised: bus_publish says that the message was queued.
 *
 * Received messages are handed to the loop: `on_message` and `on_state` run there. A connection that the library does
 * not restore is replaced by a new one with all subscriptions, for ever.
 */
#ifndef KITH_CORE_BUS_BUS_H
#define KITH_CORE_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct bus;

struct bus_message {         /* borrowed for the call */
    int subscription;        /* index of the subscribed subject in bus_options.subjects */
    const char *subject;     /* that the sender published it under */
    const char *reply;       /* where the sender expects the answer; NULL: none expected */
    const char *status;      /* of a message of the server itself ("404", "503", …); NULL: an ordinary message */
    const char *description; /* of the status */
    const void *data;
    size_t len;
};

enum { BUS_SUBJECTS_MAX = 16 };

struct bus_options { /* texts are borrowed for the life of the bus; NULL or "": not used */
    uv_loop_t *loop;
    const char *servers; /* "nats://host:4222", several separated by commas */
    const char *name;    /* of this client, for the server's lists */
    const char *user, *password, *token;
    const char *password_file, *token_file;  /* read for each connection, instead of `password` and `token` */
    const char *creds_file, *nkey_seed_file; /* of decentralized authentication */
    const char *ca_file;                     /* use TLS and trust these authorities */
    const char *const *subjects;             /* to subscribe to, at most BUS_SUBJECTS_MAX; ends with NULL */
    size_t max_queued_bytes;
    void (*on_message)(void *context, const struct bus_message *m);
    /* Connected or not; `reason` says why not, and names the setting that is wrong. */
    void (*on_state)(void *context, bool connected, const char *reason);
    void *context;
};

/* Starts connecting. Never fails: an absent server is waited for. */
struct bus *bus_new(const struct bus_options *options);

/* Loop thread. Copies subject, reply and data. False: the queue is full, there is no connection, or `bus` is NULL. */
bool bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data, size_t len);

/* Stops the thread and closes the connection. Run the loop once more to close its handle. Accepts NULL. */
void bus_free(struct bus *bus);

struct bus_stats {
    uint64_t sent, received, refused, connects;
    size_t queued_bytes;
    bool connected;
};
struct bus_stats bus_stats(struct bus *bus); /* zeros for NULL */

#endif
