/* The actors of the program with their settings. Actors are spawned in the order of dependence: an actor that others
 * need is spawned earlier and stops later. A failed actor restarts alone. */
#include "cli/serve/service.h"

#include "core/base/log/log.h"
#include "core/bus/bus_settings.h"
#include "plugins/shared/loader.h"
#include "plugins/shared/protocol.h"

#include <string.h>

enum {
    STORE_MS = 30000,
    PAGE = 512,
    EMBED_PAUSE_MS = 60000,
    GALLERY_PAGE = 1024,
    PEERS_POLL_MS = 400,
    ERASER_POLL_MS = 1000,
    GALLERY_LOG_MS = 600000, /* far longer than PEERS_POLL_MS, and than one reading of the whole log */
    BUS_MESSAGE = 256 << 10
};

static const char *const breaker_subscribers[] = {"recognizer", "processor", "health", "events", "cluster", NULL};

/* The address of an actor that may be on another node only. */
static const char *cast_recognizer(const struct service *v)
{
    return v->roles & ROLE_RECOGNIZER ? "recognizer" : "recognizer@*";
}

static const char *cast_gallery(const struct service *v)
{
    return v->roles & (ROLE_RECOGNIZER | ROLE_PROCESSOR) ? "gallery" : "gallery@*";
}

/* Whether the recogniser on this node is a client of a service elsewhere. */
static bool cast_recognizer_is_remote(const struct service *v)
{
    return (v->roles & ROLE_RECOGNIZER) && loader_has_network(v->s->recognizer, v->s->plugin_allow_net);
}

/* Uploads are stored only in a spool that all nodes share. */
static const struct spool *cast_spool(const struct service *v)
{
    return v->cluster && !v->s->spool[0] ? NULL : &v->spool;
}

static void cast_configure_recognition(struct service *v)
{
    const struct settings *s = v->s;
    /* An ask outlives the time limits of its request: opening the file, waiting for a worker, the work itself. */
    uint64_t call_ms = (uint64_t)(s->start_timeout + 2 * s->recognize_timeout) + 5000;

    v->processor = (struct processor_config){.owner = v->owner,
                                             .node = v->owner_node,
                                             .recognizer = cast_recognizer(v),
                                             .work_queue = v->s->nats[0] != 0,
                                             .ahead = 2,
                                             .lease_ms = (uint64_t)s->lease,
                                             .poll_ms = (uint64_t)s->queue_poll,
                                             .call_ms = call_ms,
                                             .backoff_ms = (uint64_t)s->retry_backoff,
                                             .tries = s->tries,
                                             .crashes = s->poison_crashes,
                                             .quarantine_ms = (uint64_t)s->quarantine};
    v->breaker = (struct breaker_config){.recognizer = "recognizer",
                                         .failures = (uint32_t)s->breaker_failures,
                                         .open_ms = (uint64_t)s->breaker_timeout,
                                         .open_max_ms = (uint64_t)s->breaker_timeout_max,
                                         .probe_ms = (uint64_t)s->recognize_timeout,
                                         .check_ms = cast_recognizer_is_remote(v) ? (uint64_t)s->remote_check : 0,
                                         .jitter_percent = 20,
                                         .subscribers = breaker_subscribers};
    v->recognizer =
        (struct recognizer_config){.worker = {.loop = &v->loop,
                                              .system = v->system,
                                              .program = v->program,
                                              .plugin_file = v->plugin,
                                              .settings = v->plugin_settings,
                                              .max_pixels = (uint64_t)s->max_pixels,
                                              .max_image = (uint64_t)s->max_image,
                                              .max_memory = (uint64_t)s->worker_memory * 2,
                                              .max_faces = (uint32_t)s->max_faces,
                                              .max_scans = (uint32_t)s->max_scans,
                                              .cpu_s = (uint32_t)(s->recognize_timeout / 1000) + 1,
                                              .thread = s->isolation[0] == 't',
                                              .network = loader_has_network(s->recognizer, s->plugin_allow_net)},
                                   .roots = v->roots,
                                   .files = v->files,
                                   .workers = v->workers,
                                   .queue_max = (uint32_t)s->worker_queue,
                                   .quarantine_max = (uint32_t)s->quarantine_max,
                                   .open_ms = (uint64_t)s->recognize_timeout,
                                   .wait_ms = (uint64_t)s->start_timeout + 2000,
                                   .recognize_ms = (uint64_t)s->recognize_timeout,
                                   .start_ms = (uint64_t)s->start_timeout,
                                   .images_max = (uint64_t)s->worker_images,
                                   .memory_max = (uint64_t)s->worker_memory};
    v->gallery = (struct gallery_config){.decider = v->decider,
                                         .search = v->search,
                                         .threshold = s->threshold,
                                         .page = GALLERY_PAGE,
                                         .poll_ms = v->cluster ? PEERS_POLL_MS : 0};
    v->enroller = (struct enroller_config){.recognizer = cast_recognizer(v),
                                           .gallery = cast_gallery(v),
                                           .spool = cast_spool(v),
                                           .files = v->files,
                                           .call_ms = call_ms,
                                           .quality = (float)s->enroll_quality,
                                           .prominence = s->enroll_prominence};
    v->known_people = (struct known_people_config){.loop = &v->loop,
                                                   .options = {.folder = v->known_folder,
                                                               .roots = v->roots,
                                                               .max_file = s->max_image,
                                                               .max_files = (int)s->known_people_files,
                                                               .links_to_roots = s->known_people_links[0] == 'r',
                                                               .flat = strcmp(s->flat, "on") == 0,
                                                               .forget = strcmp(s->known_people_forget, "on") == 0},
                                                   .files = v->files,
                                                   .call_ms = call_ms,
                                                   .store_ms = STORE_MS,
                                                   .rescan_ms = (uint64_t)s->known_people_rescan};
    v->embedder = (struct embedder_config){.call_ms = call_ms, .store_ms = STORE_MS, .pause_ms = EMBED_PAUSE_MS};
}

static void cast_configure_edge(struct service *v)
{
    const struct settings *s = v->s;
    uint64_t request_ms = (uint64_t)s->request_timeout;

    v->receiver = (struct receiver_config){.waiting = s->nats[0] ? "work_queue" : "processor",
                                           .roots = v->roots,
                                           .spool = cast_spool(v),
                                           .files = v->files,
                                           .store_ms = request_ms,
                                           .max_paths = (size_t)s->max_paths,
                                           .max_path = (size_t)s->max_path,
                                           .max_image = (size_t)s->max_image};
    v->identify = (struct identify_config){.recognizer = cast_recognizer(v),
                                           .gallery = cast_gallery(v),
                                           .roots = v->roots,
                                           .files = v->files,
                                           .max_path = (size_t)s->max_path,
                                           .call_ms = request_ms,
                                           .doubt = startup_doubt_limits(s)};
    v->faces = (struct faces_config){.gallery = cast_gallery(v),
                                     .recognizer = cast_recognizer(v),
                                     .page_limit = s->page_limit,
                                     .store_ms = request_ms,
                                     .call_ms = request_ms};
    v->people = (struct people_config){.gallery = cast_gallery(v),
                                       .roots = v->roots,
                                       .files = v->files,
                                       .max_path = (size_t)s->max_path,
                                       .page_limit = s->page_limit,
                                       .notes_max = (size_t)s->notes_max,
                                       .merge_undo_ms = s->merge_undo,
                                       .store_ms = request_ms,
                                       .call_ms = request_ms};
    v->frontend = (struct frontend_config){.openapi = &openapi_file,
                                           .roots = v->roots,
                                           .files = v->files,
                                           .page_limit = s->page_limit,
                                           .store_ms = request_ms};
    v->health = (struct health_config){.server = v->server,
                                       .files = v->files,
                                       .folder = s->data,
                                       .disk_reserve = (uint64_t)s->disk_reserve,
                                       .store_ms = request_ms,
                                       .node = v->node,
                                       .boot = v->boot,
                                       .recognizes = v->roles & (ROLE_PROCESSOR | ROLE_RECOGNIZER),
                                       .remote = cast_recognizer_is_remote(v),
                                       .receives = v->roles & ROLE_RECEIVER};
    v->pictures = (struct pictures_config){.recognizer = cast_recognizer(v),
                                           .roots = v->roots,
                                           .thumbs = v->thumbs,
                                           .files = v->files,
                                           .store_ms = request_ms,
                                           .call_ms = request_ms,
                                           .max_image = (size_t)s->max_image};
    v->events = (struct events_config){.store_ms = STORE_MS,
                                       .gather_ms = 20,
                                       .keepalive_ms = (uint64_t)s->events_keepalive,
                                       .poll_ms = v->cluster ? PEERS_POLL_MS : 0,
                                       .page = PAGE,
                                       .subscribers_max = (uint32_t)s->max_subscribers,
                                       .address_max = (uint32_t)s->max_subscribers_per_address,
                                       .key_max = (uint32_t)s->max_subscribers_per_key};
    v->retry = (struct retry_config){.processor = s->nats[0] ? "processor@**" : "processor",
                                     .pause_ms = s->retry_pause,
                                     .pause_max_ms = s->retry_pause_max,
                                     .store_ms = STORE_MS};
    v->look_again = (struct look_again_config){
        .processor = s->nats[0] ? "processor@**" : "processor", .store_ms = STORE_MS, .rate = s->look_again_rate};
    v->janitor = (struct janitor_config){.processor = s->nats[0] ? "processor@**" : "processor",
                                         .spool = &v->spool,
                                         .thumbs = v->thumbs,
                                         .files = v->files,
                                         .store_ms = STORE_MS,
                                         .alone = strcmp(s->database, "sqlite") == 0,
                                         .lease_ms = s->lease,
                                         .reap_ms = (uint64_t)(s->lease / 3 > 5000 ? 5000 : s->lease / 3),
                                         .sweep_ms = (uint64_t)s->spool_sweep,
                                         .prune_ms = 60000,
                                         .retry_ms = (uint64_t)s->retry_policy,
                                         .pause_ms = s->retry_pause,
                                         .pause_max_ms = s->retry_pause_max,
                                         .tries = s->tries,
                                         .crashes = s->poison_crashes,
                                         .events_keep = s->events_keep,
                                         .orphan_age_ms = s->orphan_age,
                                         .merge_undo_ms = s->merge_undo,
                                         .thumb_age_ms = 7LL * 24 * 3600 * 1000,
                                         .idempotency_ms = 24LL * 3600 * 1000,
                                         .keep_events_ms = s->keep_events,
                                         .keep_audit_ms = s->keep_audit,
                                         .erase_age_ms = s->erase_age,
                                         .gallery_log_ms = GALLERY_LOG_MS};
}

static void cast_configure_deletion(struct service *v)
{
    const struct settings *s = v->s;

    /* An embedded database has one node, whatever its name is today. */
    v->eraser = (struct eraser_config){.node = strcmp(s->database, "sqlite") == 0 ? "here" : v->node,
                                       .spool = &v->spool,
                                       .thumbs = v->thumbs,
                                       .files = v->files,
                                       .store_ms = STORE_MS,
                                       .poll_ms = ERASER_POLL_MS,
                                       .seen_ms = (uint64_t)s->erase_age / 4,
                                       .young_ms = s->upload_grace};
    v->retention = (struct retention_config){.images_ms = s->keep_images,
                                             .unknown_ms = s->keep_unknown,
                                             .check_ms = (uint64_t)s->keep_check,
                                             .store_ms = STORE_MS};
    v->audit = (struct audit_config){.store_ms = STORE_MS,
                                     .read_ms = (uint64_t)s->request_timeout,
                                     .page_limit = s->page_limit,
                                     .backlog = (int)s->audit_backlog};
}

static void cast_give_up(void *context, int code, const char *reason)
{
    struct service *v = context;

    log_event(LOG_ERROR, "giving up", LOG_STR("reason", reason));
    v->code = code;
    uv_stop(&v->loop);
}

static void cast_configure_cluster(struct service *v)
{
    const struct settings *s = v->s;

    v->nodes = (struct cluster_config){.link = s->nats[0] ? &v->bus_link : NULL,
                                       .node = v->node,
                                       .roles = s->roles,
                                       .version = KITH_VERSION,
                                       .api = &v->api_here,
                                       .boot = v->boot,
                                       .beat_ms = (uint64_t)s->node_heartbeat,
                                       .timeout_ms = (uint64_t)s->node_timeout,
                                       .max_message = BUS_MESSAGE,
                                       .max_body = (size_t)s->max_image + BUS_MESSAGE,
                                       .recognizes = v->roles & ROLE_RECOGNIZER,
                                       .give_up = cast_give_up,
                                       .context = v};
    work_queue_write_inbox(v->inbox, v->boot);
    v->work_queue = (struct work_queue_config){.bus = &v->bus_link.bus,
                                               .prefix = s->nats_prefix,
                                               .cluster = v->bus_link.cluster,
                                               .inbox = v->inbox,
                                               .claims = v->roles & ROLE_PROCESSOR,
                                               .max_age_ms = s->work_item_age};
}

static void cast_configure_keys(struct service *v)
{
    v->keys = (struct keys_config){.auth = &v->auth,
                                   .file = v->s->api_keys_file,
                                   .files = v->files,
                                   .store_ms = STORE_MS,
                                   .poll_ms = (uint64_t)v->s->keys_poll};
}

static void cast_configure_bus(struct service *v)
{
    v->bus_link.config = (struct bus_link_config){.driver = v->driver,
                                                  .prefix = v->s->nats_prefix,
                                                  .node = v->node,
                                                  .inbox = v->inbox,
                                                  .inbox_actor = "work_queue",
                                                  .bus = bus_settings(v->in->book)};
    v->bus_link.config.bus.loop = &v->loop;
    v->bus_link.config.bus.name = v->node;
}

void cast_spawn(struct service *v)
{
    cast_configure_recognition(v);
    cast_configure_edge(v);
    cast_configure_cluster(v);
    cast_configure_bus(v);
    cast_configure_keys(v);
    cast_configure_deletion(v);
    const bool known = v->s->known_people[0], bus = v->s->nats[0];
    const struct {
        struct actor_spec spec;
        bool here;
    } cast[] = {
        {{.name = "cluster", .ops = &cluster_actor, .config = &v->nodes}, true},
        {{.name = "work_queue", .ops = &work_queue_actor, .config = &v->work_queue}, bus},
        {{.name = "gallery", .ops = &gallery_actor, .config = &v->gallery},
         v->roles & (ROLE_RECOGNIZER | ROLE_PROCESSOR)},
        {{.name = "recognizer", .ops = &recognizer_actor, .config = &v->recognizer}, v->roles & ROLE_RECOGNIZER},
        {{.name = "breaker", .ops = &breaker_actor, .config = &v->breaker}, v->roles & ROLE_RECOGNIZER},
        {{.name = "processor", .ops = &processor_actor, .config = &v->processor}, v->roles & ROLE_PROCESSOR},
        {{.name = "keys", .ops = &keys_actor, .config = &v->keys}, true},
        {{.name = "audit", .ops = &audit_actor, .config = &v->audit}, true},
        {{.name = "eraser", .ops = &eraser_actor, .config = &v->eraser}, true},
        {{.name = "retention", .ops = &retention_actor, .config = &v->retention}, true},
        {{.name = "enroller", .ops = &enroller_actor, .config = &v->enroller}, true},
        {{.name = "retry", .ops = &retry_actor, .config = &v->retry}, true},
        {{.name = "look_again", .ops = &look_again_actor, .config = &v->look_again}, true},
        {{.name = "janitor", .ops = &janitor_actor, .config = &v->janitor}, true},
        {{.name = "events", .ops = &events_actor, .config = &v->events}, true},
        {{.name = "health", .ops = &health_actor, .config = &v->health}, true},
        {{.name = "frontend", .ops = &frontend_actor, .config = &v->frontend}, true},
        {{.name = "pictures", .ops = &pictures_actor, .config = &v->pictures}, v->roles & ROLE_FRONTEND},
        {{.name = "people", .ops = &people_actor, .config = &v->people}, v->roles & (ROLE_RECEIVER | ROLE_FRONTEND)},
        {{.name = "faces", .ops = &faces_actor, .config = &v->faces}, v->roles & (ROLE_RECEIVER | ROLE_FRONTEND)},
        {{.name = "identify", .ops = &identify_actor, .config = &v->identify}, v->roles & ROLE_RECEIVER},
        {{.name = "receiver", .ops = &receiver_actor, .config = &v->receiver}, v->roles & ROLE_RECEIVER},
        {{.name = "known-people", .ops = &known_people_actor, .config = &v->known_people},
         known && (v->roles & ROLE_RECOGNIZER)},
        {{.name = "embedder", .ops = &embedder_actor, .config = &v->embedder}, v->roles & ROLE_RECOGNIZER},
    };

    for (size_t i = 0; i < sizeof cast / sizeof cast[0]; i++) {
        struct actor_spec spec = cast[i].spec;

        spec.mailbox_max = (uint32_t)v->s->mailbox_max;
        spec.mailbox_max_bytes = (size_t)v->s->mailbox_max_bytes;
        if (cast[i].here)
            actor_spawn(v->system, &spec);
    }
}
