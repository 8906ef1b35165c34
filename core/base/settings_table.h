/* The one table of settings. SETTING(field, kind, default, min, max, meaning); KITH_FIELD and --field follow from the
 * name. Kinds: text, secret (may come from KITH_…_FILE), choice (its `min` is the list of words), count, duration
 * (30s, 250ms, 5m, 1h), size (16MB, 64KB), number. Included several times: no include guard.
 */
/* where it listens, what it keeps */
SETTING(api_listen, text, "127.0.0.1:8000", 0, 0, "address and port of the HTTP interface")
SETTING(dashboard_listen, text, "127.0.0.1:8081", 0, 0, "address and port of the results page; empty: none")
SETTING(data, text, "./data", 0, 0, "folder for the database, the spool of uploaded images and the thumbnails")
SETTING(database, text, "sqlite", 0, 0, "sqlite (in the data folder), or mariadb://user@host:port/name")
SETTING(database_password, secret, "", 0, 0, "password of a database server")
SETTING(database_ca, text, "", 0, 0, "file of the authorities to trust; given: the server is spoken to by TLS")
SETTING(database_timeout, duration, "5s", 1000, 600000, "how long a database server may take for one answer")
SETTING(durability, choice, "strict", "strict,relaxed", 0,
        "strict: refuse a database server that does not flush at each commit, for it loses what was promised")
SETTING(spool, text, "", 0, 0,
        "folder for uploaded bytes that all nodes share; empty: in the data folder, and in a cluster none are taken")
SETTING(nats, text, "", 0, 0, "addresses of the message bus of a cluster, nats://host:4222,…; empty: none")
SETTING(nats_user, text, "", 0, 0, "user on the bus; empty: none")
SETTING(nats_password, secret, "", 0, 0, "and the password")
SETTING(nats_token, secret, "", 0, 0, "token for the bus, instead of user and password")
SETTING(nats_creds, text, "", 0, 0, "file of credentials for the bus, instead of either")
SETTING(nats_nkey, text, "", 0, 0, "file of an nkey seed for the bus, instead of either")
SETTING(nats_ca, text, "", 0, 0, "file of the authorities to trust; given: the bus is spoken to by TLS")
SETTING(nats_prefix, text, "kith", 0, 0, "how subjects on the bus begin; nodes with another one are another cluster")
SETTING(nats_buffer, size, "16MB", 65536, 1 << 30, "bytes that wait for the bus; above it messages are refused")
SETTING(node_heartbeat, duration, "1s", 50, 60000, "how often a node says that it is there")
SETTING(node_timeout, duration, "4s", 200, 600000, "a node that is silent so long is gone")
SETTING(work_item_age, duration, "5m", 1000, 86400000, "a hint of the work queue older than this is dropped")
SETTING(roles, text, "all", 0, 0,
        "what this node does: all, or some of receiver,processor,recognizer,frontend with commas")
SETTING(node, text, "", 0, 0, "name of this node; empty: the host's")
SETTING(image_roots, text, "./data/images", 0, 0, "colon-separated folders that posted paths must lie in")
SETTING(known_people, text, "", 0, 0, "folder enrolled at the start and watched: NAME/*.jpg or name_1.jpg; empty: none")
SETTING(auth, choice, "", "keys,none", 0,
        "keys: whoever has one; none: anybody. Empty: anybody on loopback, and nothing else is listened on")
SETTING(api_keys_file, text, "", 0, 0,
        "file of more keys, one a line: roles, the key or sha256:HEX, a name; given: KITH_AUTH is keys")
SETTING(auth_failures, count, "20", 1, 1000000, "wrong keys from one address in a minute before it has to wait")
SETTING(keys_poll, duration, "2s", 50, 3600000, "how often keys are looked for that were made or revoked elsewhere")
SETTING(tls_cert, text, "", 0, 0,
        "file of the certificate, and those that lead to its root; given: TLS 1.2 or newer only")
SETTING(tls_key, text, "", 0, 0, "file of the certificate's key; both are read again at SIGHUP")
SETTING(api_url, text, "", 0, 0, "where the other commands find a running kith; empty: at KITH_API_LISTEN")
SETTING(api_key, secret, "", 0, 0, "the key that they show there")
SETTING(api_ca, text, "", 0, 0, "file of the authorities that they trust; empty: the system's")
/* recognition */
SETTING(recognizer, text, "dlib", 0, 0, "dlib, lbph, grpc, or the path of a plug-in's shared object")
SETTING(plugin_allow_net, choice, "off", "off,on", 0,
        "on: the plug-in's workers may connect to other machines; the grpc recogniser always may")
SETTING(plugins, text, "", 0, 0, "folder of the plug-ins; empty: beside the program")
SETTING(models, text, "./models", 0, 0, "folder of the model files")
SETTING(inference, choice, "onednn", "onednn,dlib", 0,
        "what the dlib recogniser's network runs on; onednn: with Winograd convolutions where the CPU has AVX2; "
        "dlib: its own, slower, the reference")
SETTING(detector, choice, "hog", "hog,cnn,hard", 0,
        "what dlib finds faces with; cnn: slower, sees turned and covered ones; hard: both where hog sees none or "
        "small ones")
SETTING(flip_augment, choice, "on", "on,off", 0, "dlib: the mean of a face's embedding and its mirror image's")
SETTING(lbph_cascade, text, "/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml", 0, 0,
        "OpenCV cascade that the lbph recogniser detects with")
SETTING(grpc_address, text, "", 0, 0, "host:port of the remote recogniser that grpc asks; it speaks face.proto")
SETTING(grpc_timeout, duration, "10s", 1, 3600000, "how long that one may take for one answer")
SETTING(grpc_ca, text, "", 0, 0, "file of the authorities to trust; given: that one is spoken to by TLS")
SETTING(instructions, choice, "auto", "auto,avx512,avx2,plain", 0,
        "highest set of vector instructions that is used; auto: the best of this CPU")
SETTING(workers, count, "0", 0, 256, "recognition workers; 0: one for each core")
SETTING(isolation, choice, "process", "process,thread", 0,
        "process: each worker in a sandbox; thread: in this process, for a trusted plug-in")
SETTING(threshold, number, "-1", -1, 1e9, "largest distance that counts as the same person; -1: the recogniser's own")
SETTING(fpir, number, "0.01", 0, 0.5,
        "false positive identification rate: the share of people who are not enrolled that may get a name, when "
        "KITH_THRESHOLD is not given; 0: the recogniser's own threshold")
SETTING(cohort, count, "1000", 200, 100000, "faces of different unknown people that scores are normalised with")
SETTING(unknown_faces, count, "20000", 200, 10000000, "unknown faces kept for re-identification, the newest")
SETTING(gallery_memory, size, "64MB", 1 << 20, 1LL << 40,
        "embeddings in memory; those of a larger gallery lie in a file in the data folder, the search is as exact")
SETTING(naming_quality, number, "0", 0, 1,
        "a face whose picture has less quality (0 to 1: size, sharpness, contrast, pose) gets no name")
SETTING(enroll_quality, number, "0.1", 0, 1, "a photo whose face has less quality is not enrolled")
SETTING(enroll_jitters, count, "0", 0, 100,
        "dlib: a template is the mean of so many slightly moved views of its photo; 0: of one")
SETTING(candidates, count, "5", 1, 50, "candidates kept for each face")
SETTING(max_faces, count, "64", 1, 200, "faces taken from one image, the largest first")
SETTING(min_face, size, "40", 16, 10000, "smallest face looked for, in pixels of the picture")
SETTING(max_pixels, size, "50000000", 1, 1000000000, "pixels of a picture; a larger one is refused from its header")
SETTING(max_image, size, "64MB", 1, 1 << 30, "bytes of an image file; a larger one is refused")
SETTING(recognize_timeout, duration, "20s", 1, 3600000, "how long a worker may take for one image before it is killed")
SETTING(start_timeout, duration, "60s", 1, 3600000, "how long a worker may take to load its plug-in")
SETTING(worker_images, count, "10000", 1, 1000000000, "a worker is replaced after so many images")
SETTING(worker_memory, size, "2GB", 1, 1LL << 40,
        "a worker above this memory is replaced; twice this and it cannot grow")
SETTING(worker_queue, count, "256", 1, 100000,
        "requests that wait for a worker (identify, enrol, thumbnails) before 503")
/* the life of an image */
SETTING(lease, duration, "30s", 10, 86400000, "how long a claim lasts without being renewed")
SETTING(tries, count, "5", 1, 1000, "tries of an image before infrastructure failures make it failed")
SETTING(retry_backoff, duration, "2s", 1, 3600000, "wait before the second try; doubles with each")
SETTING(poison_crashes, count, "3", 1, 100, "an image that killed so many workers is failed as poison")
SETTING(quarantine, duration, "1h", 0, 1000000000, "how long the bytes of a poison image are refused")
SETTING(queue_poll, duration, "1s", 1, 3600000, "how often the table is looked at for work that nobody announced")
SETTING(breaker_failures, count, "5", 1, 1000, "infrastructure failures in a row that open the breaker")
SETTING(breaker_timeout, duration, "10s", 1, 3600000, "how long the breaker stays open before its first health check")
SETTING(breaker_timeout_max, duration, "5m", 1, 86400000, "ceiling of that wait, which doubles with each failed check")
SETTING(retry_policy, duration, "0s", 0, 2147483647, "failed images are put back this often; 0: only when asked")
SETTING(orphan_age, duration, "1h", 1, 2147483647, "an uploaded file that no image speaks of is removed after this")
SETTING(spool_sweep, duration, "10s", 1, 86400000,
        "how often one of the spool's 256 folders is looked through for such files")
SETTING(events_keep, count, "1000000", 100, 1000000000, "events kept for subscribers that reconnect")
/* limits of the edge */
SETTING(max_body, size, "16MB", 1024, 30 << 20, "bytes of a request body")
SETTING(max_paths, count, "10000", 1, 1000000, "paths in one request")
SETTING(max_path, size, "4000", 1, 4095, "bytes of a path")
SETTING(page_limit, count, "500", 1, 10000, "rows of a page at the most")
SETTING(max_connections, count, "4096", 1, 60000, "connections at once")
SETTING(max_connections_per_address, count, "1024", 1, 60000, "connections at once from one address")
SETTING(max_requests, count, "20000", 1, 1000000, "requests under way at once")
SETTING(max_subscribers, count, "256", 1, 60000, "event streams at once")
SETTING(events_keepalive, duration, "10s", 10, 3600000,
        "an idle event stream gets a sign of life this often; one who has left is noticed by it")
SETTING(idle_timeout, duration, "15s", 10, 3600000, "a connection without progress is cut off after this")
SETTING(min_rate, size, "1KB", 1, 1 << 30, "bytes a second that count as progress of an upload or a download")
SETTING(max_resets, count, "100", 1, 1000000, "requests cancelled in a second before a connection is cut off")
SETTING(request_timeout, duration, "30s", 10, 3600000, "how long a request may wait for its answer")
SETTING(shutdown_grace, duration, "10s", 0, 600000, "how long SIGTERM waits for work in flight")
SETTING(mailbox_max, count, "65536", 64, 10000000, "messages that wait for one actor before it says 503")
SETTING(mailbox_max_bytes, size, "128MB", 65536, 1LL << 40, "and their bytes")
SETTING(slow_callback, duration, "100ms", 0, 3600000,
        "a callback of an actor that takes longer is logged and counted; 0s: none is")
SETTING(queue_limit, count, "100000000", 1, 1LL << 60, "images that may wait in the table before 503")
/* what it says */
SETTING(log_level, choice, "info", "debug,info,warn,error", 0, "least important line that is logged")
SETTING(log_format, choice, "text", "text,json", 0, "form of the log")
SETTING(log_buffer, size, "1MB", 65536, 1 << 30,
        "log lines kept in memory while standard error is not read; further lines are dropped and counted")
SETTING(access_log, choice, "on", "on,off", 0, "one line for each request")
