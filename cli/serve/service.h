/* `kith serve`: the state that its files share. Loop thread.
 *
 *   serve.c ─▶ check.c, startup.c, cast.c, shutdown.c ─▶ roles.c, slow.c, notify.c
 */
#ifndef KITH_CLI_SERVE_SERVICE_H
#define KITH_CLI_SERVE_SERVICE_H

#include "actors/access/audit.h"
#include "actors/access/keys.h"
#include "actors/cluster/bus_link.h"
#include "actors/cluster/cluster.h"
#include "actors/frontend/events.h"
#include "actors/frontend/frontend.h"
#include "actors/frontend/pictures.h"
#include "actors/gallery/gallery.h"
#include "actors/intake/identify.h"
#include "actors/intake/receiver.h"
#include "actors/known/embedder.h"
#include "actors/known/known_people.h"
#include "actors/people/enroller.h"
#include "actors/people/faces.h"
#include "actors/people/people.h"
#include "actors/pipeline/circuit_breaker.h"
#include "actors/pipeline/processor.h"
#include "actors/pipeline/recognizer.h"
#include "actors/pipeline/work_queue.h"
#include "actors/routes.h"
#include "actors/upkeep/eraser.h"
#include "actors/upkeep/health.h"
#include "actors/upkeep/janitor.h"
#include "actors/upkeep/look_again.h"
#include "actors/upkeep/retention.h"
#include "actors/upkeep/retry.h"
#include "cli/cli.h"
#include "core/actor/driver_uv.h"
#include "core/http/http.h"
#include "core/store/store.h"

#include <limits.h>
#include <uv.h>

enum role { ROLE_RECEIVER = 1, ROLE_PROCESSOR = 2, ROLE_RECOGNIZER = 4, ROLE_FRONTEND = 8, ROLES_ALL = 15 };

struct service {
    const struct invocation *in;
    const struct settings *s;
    uv_loop_t loop;
    uv_signal_t signals[2], hangup;
    struct driver_uv *driver;
    struct actor_system *system;
    struct http_server *server;
    struct http_trust *trust;
    bool http_stopped; /* no connection is open any more */
    bool served;       /* the loop ran: its end is logged */
    struct store *store;
    struct offload *files, *search;
    struct decider *decider;
    struct path_roots *roots;
    struct spool spool;
    char known_folder[PATH_MAX]; /* "": none */
    char thumbs[PATH_MAX], plugin[PATH_MAX], program[PATH_MAX];
    char node[NODE_BYTES], owner[128], owner_node[72]; /* owner: of leases, "node:pid-random" */
    struct kith_setting plugin_settings[128];
    uint32_t workers;
    unsigned roles; /* of enum role */
    uint64_t boot;  /* random number of this run of the node */
    struct bus_link bus_link;
    char inbox[WORK_QUEUE_INBOX_BYTES]; /* the subject of the work queue's own messages */
    bool cluster;                       /* other nodes may use the same database */
    struct auth auth;
    struct routes_context routes;
    const char *api_here; /* the address that the API listens on, with its port */
    int code;
    /* what the actors borrow */
    struct receiver_config receiver;
    struct processor_config processor;
    struct breaker_config breaker;
    struct recognizer_config recognizer;
    struct gallery_config gallery;
    struct identify_config identify;
    struct enroller_config enroller;
    struct people_config people;
    struct faces_config faces;
    struct known_people_config known_people;
    struct embedder_config embedder;
    struct frontend_config frontend;
    struct health_config health;
    struct pictures_config pictures;
    struct events_config events;
    struct retry_config retry;
    struct look_again_config look_again;
    struct janitor_config janitor;
    struct cluster_config nodes;
    struct work_queue_config work_queue;
    struct keys_config keys;
    struct audit_config audit;
    struct eraser_config eraser;
    struct retention_config retention;
};

/* roles.c: the roles of a text like "receiver,frontend". 0 or -1. */
int roles_parse(const char *text, unsigned *roles);

/* check.c: 0, or the exit status of a refused setting, which was reported. check_api_keys fills v->auth. */
int check_settings(struct service *v);
int check_api_keys(struct service *v);
int check_node_name(struct service *v);

/* startup.c. startup_open: 0, or an exit status; the error was reported. */
void startup_raise_descriptors(const struct settings *s);
struct doubt_limits startup_doubt_limits(const struct settings *s);
int startup_open(struct service *v);

/* shutdown.c. */
extern const struct actor_ops serve_actor;
void shutdown_watch_signals(struct service *v);
void shutdown_ignore_signals(struct service *v);
void shutdown_close(struct service *v); /* also what startup_open opened before it failed */

/* cast.c: fills in the configurations and spawns the actors. */
void cast_spawn(struct service *service);

/* Files that are part of the program, embedded by the build; they end with a NULL path. */
extern const struct http_file web_files[];
extern const struct http_file openapi_file;

#endif
