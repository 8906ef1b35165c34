/* The table of settings. SETTING(field, kind, default, min, max, help). The variable KITH_FIELD and the flag --field
 * follow from the field. Kinds: text, secret (also from the file in KITH_FIELD_FILE), choice (`min` is the list of
 * values), count, duration (30s, 250ms, 5m, 1h), size (16MB, 64KB), number. The help text of a setting is read alone.
 * This file is included several times: it has no include guard.
 */
/* addresses, folders, database, cluster, keys */
SETTING(api_listen, text, "127.0.0.1:8000", 0, 0, "address and port of the HTTP interface")
SETTING(dashboard_listen, text, "127.0.0.1:8081", 0, 0, "address and port of the dashboard; empty: no dashboard")
SETTING(data, text, "./data", 0, 0, "folder for the database, the spool of uploaded images and the thumbnails")
SETTING(database, text, "sqlite", 0, 0, "sqlite (a file in the data folder), or mariadb://user@host:port/name")
SETTING(database_password, secret, "", 0, 0, "password of the MariaDB user")
SETTING(database_ca, text, "", 0, 0,
        "file of CA certificates for MariaDB; when given, the connection uses TLS and verifies the server")
SETTING(database_timeout, duration, "5s", 1000, 600000, "time limit for one answer of the MariaDB server")
SETTING(recount, duration, "10m", 0, 86400000,
        "time between two recounts of the images by status, which correct the counts after writes of other programs; "
        "0: never")
SETTING(durability, choice, "strict", "strict,relaxed", 0,
        "strict: refuse a MariaDB server that does not flush its log at each commit; relaxed: accept it")
SETTING(spool, text, "", 0, 0,
        "folder for uploaded images that all nodes of a cluster share; empty: a folder in the data folder, and a node "
        "of a cluster takes no uploads")
SETTING(nats, text, "", 0, 0,
        "addresses of the NATS servers of a cluster, nats://host:4222,…; empty: this node works alone")
SETTING(nats_user, text, "", 0, 0, "user name for NATS; empty: none")
SETTING(nats_password, secret, "", 0, 0, "password of the NATS user")
SETTING(nats_token, secret, "", 0, 0, "token for NATS, instead of user and password")
SETTING(nats_creds, text, "", 0, 0, "credentials file for NATS, instead of user and password")
SETTING(nats_nkey, text, "", 0, 0, "nkey seed file for NATS, instead of user and password")
SETTING(nats_ca, text, "", 0, 0,
        "file of CA certificates for NATS; when given, the connection uses TLS and verifies the server")
SETTING(nats_prefix, text, "kith", 0, 0,
        "prefix of all NATS subjects; the id of the database follows, so clusters may share a NATS")
SETTING(nats_buffer, size, "16MB", 65536, 1 << 30, "bytes buffered for NATS; further messages are refused")
SETTING(node_heartbeat, duration, "1s", 50, 60000, "interval of the heartbeats that a node sends to the cluster")
SETTING(node_timeout, duration, "4s", 200, 600000, "a node without heartbeat for this long is removed from the cluster")
SETTING(work_item_age, duration, "5m", 1000, 86400000,
        "work queue messages older than this are dropped; the images stay in the database")
SETTING(roles, text, "all", 0, 0,
        "roles of this node: all, or some of receiver,processor,recognizer,frontend separated by commas")
SETTING(node, text, "", 0, 0, "name of this node; empty: the host name")
SETTING(image_roots, text, "./data/images", 0, 0, "folders, separated by colons, that posted image paths must lie in")
SETTING(known_people, text, "", 0, 0,
        "folder of photos to enroll at the start and when it changes: NAME/*.jpg or name_1.jpg; empty: none")
SETTING(flat, choice, "off", "off,on", 0,
        "on: in a folder of known people without subfolders each file name is a person's name, also IMG_2563.jpg; off: "
        "names that a camera gives are refused")
SETTING(known_people_forget, choice, "off", "off,on", 0,
        "on: a photo whose file has gone from KITH_KNOWN_PEOPLE is forgotten; off: it is listed as gone")
SETTING(known_people_links, choice, "inside", "inside,roots", 0,
        "where symbolic links in KITH_KNOWN_PEOPLE may lead: inside that folder, or also into KITH_IMAGE_ROOTS")
SETTING(known_people_files, count, "100000", 1, 10000000,
        "files and folders in KITH_KNOWN_PEOPLE that are looked at; the others are left out, with a warning")
SETTING(known_people_rescan, duration, "15s", 100, 86400000, "time between two scans of KITH_KNOWN_PEOPLE")
SETTING(auth, choice, "", "keys,none", 0,
        "keys: requests need an API key; none: requests need none. Empty: none, and only loopback addresses may be "
        "listened on")
SETTING(api_keys_file, text, "", 0, 0,
        "file of additional API keys, one a line: roles, the key or sha256:HEX, a name; when given, KITH_AUTH is keys")
SETTING(auth_failures, count, "20", 1, 1000000, "wrong API keys from one address in one minute before it has to wait")
SETTING(keys_poll, duration, "2s", 50, 3600000,
        "interval at which API keys are reloaded from the database and the key file")
SETTING(tls_cert, text, "", 0, 0,
        "file of the TLS certificate and its intermediate certificates; when given, only TLS 1.2 or newer is served")
SETTING(tls_key, text, "", 0, 0, "file of the private key of the TLS certificate; SIGHUP reloads both files")
SETTING(trusted_proxies, text, "", 0, 0,
        "addresses and networks of proxies, separated by commas, whose X-Forwarded-For, -Proto and -Host or Forwarded "
        "headers are believed; empty: none")
SETTING(public_url, text, "", 0, 0,
        "URL under which browsers reach kith, https://kith.example.org; empty: the host of the request")
SETTING(cors_origins, text, "", 0, 0,
        "origins, separated by commas, whose pages may use the HTTP interface with an API key; empty: none")
SETTING(api_url, text, "", 0, 0,
        "URL of a running kith for the other subcommands; empty: the address in KITH_API_LISTEN")
SETTING(api_key, secret, "", 0, 0, "API key that the other subcommands send to a running kith")
SETTING(api_ca, text, "", 0, 0,
        "file of CA certificates with which the other subcommands verify a running kith; empty: those of the system")
/* recognition */
SETTING(recognizer, text, "dlib", 0, 0, "dlib, lbph, grpc, or the path of a plug-in's shared object")
SETTING(plugin_allow_net, choice, "off", "off,on", 0,
        "on: workers of the plug-in may open network connections; those of the grpc recogniser always may")
SETTING(plugins, text, "", 0, 0, "folder of the plug-ins; empty: the folder of the program")
SETTING(plugin_files, text, "", 0, 0,
        "files and folders, separated by colons, that a plug-in may read besides its own file, the models and the "
        "system's libraries")
SETTING(models, text, "./models", 0, 0, "folder of the model files")
SETTING(inference, choice, "onednn", "onednn,dlib", 0,
        "library that computes the dlib recogniser's network; onednn: with Winograd convolutions where the CPU has "
        "AVX2; dlib: the slower reference")
SETTING(detector, choice, "hog", "hog,cnn,hard", 0,
        "face detector of the dlib recogniser; cnn: slower, also finds turned and covered faces; hard: cnn as "
        "well where hog finds no face or a small one")
SETTING(flip_augment, choice, "on", "on,off", 0,
        "dlib recogniser: average the embeddings of a face and of its mirror image")
SETTING(lbph_cascade, text, "/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml", 0, 0,
        "OpenCV cascade file of the lbph recogniser's face detector")
SETTING(grpc_address, text, "", 0, 0,
        "host:port of the remote recogniser of the grpc plug-in; it implements face.proto")
SETTING(grpc_timeout, duration, "10s", 1, 3600000,
        "time limit for one answer of the remote recogniser of the grpc plug-in")
SETTING(grpc_ca, text, "", 0, 0,
        "file of CA certificates for the remote recogniser; when given, TLS is used and the server verified")
SETTING(instructions, choice, "auto", "auto,avx512,avx2,plain", 0,
        "highest set of vector instructions that is used; auto: the highest that the CPU has")
SETTING(workers, count, "0", 0, 256,
        "recognition workers; 0: one for each CPU that the affinity mask and the CPU quota of the control group allow; "
        "one for the grpc recogniser, whose service then gets one call at a time")
SETTING(isolation, choice, "process", "process,thread", 0,
        "process: a worker is a process in a sandbox; thread: it is a thread of kith, for trusted plug-ins only")
SETTING(threshold, number, "-1", -1, 1e9,
        "largest distance at which two faces are the same person; -1: the recogniser's default or KITH_FPIR decides")
SETTING(fpir, number, "0.01", 0, 0.5,
        "false positive identification rate: the share of people who are not enrolled that may be assigned a name; "
        "used when KITH_THRESHOLD is -1; 0: the recogniser's default threshold")
SETTING(cohort, count, "1000", 200, 100000, "faces of different unknown people used for score normalisation")
SETTING(unknown_faces, count, "20000", 200, 10000000, "newest unknown faces that are kept for re-identification")
SETTING(gallery_memory, size, "64MB", 1 << 20, 1LL << 40,
        "memory for embeddings; a larger gallery is kept in a file in the data folder, with the same exact search")
SETTING(once_a_picture, choice, "off", "off,on", 0,
        "on: a person's name is given to at most one face of a picture, the most similar one")
SETTING(naming_quality, number, "0", 0, 1,
        "least quality (0 to 1: size, sharpness, contrast, pose) at which a face is assigned a name")
SETTING(review_similarity, number, "0.6", 0, 1,
        "a name with less similarity than this is for review (near_threshold); 0.5 is the threshold; 0: off")
SETTING(review_margin, number, "0.1", 0, 1,
        "a name is for review (small_margin) when a second person passes the threshold, too, with a similarity that is "
        "less than this below it; 0: off")
SETTING(review_quality, number, "0.3", 0, 1,
        "the name of a face of less quality (0 to 1) than this is for review (low_quality); 0: off")
SETTING(enroll_quality, number, "0.1", 0, 1, "least quality (0 to 1) at which a face is enrolled")
SETTING(enroll_prominence, number, "1.4", 1, 100,
        "how many times as high as each other face the largest one must be to be enrolled from a photo with bystanders")
SETTING(enroll_jitters, count, "0", 0, 100,
        "dlib recogniser: a template is the mean of this many jittered copies of its photo; 0: no copies")
SETTING(candidates, count, "5", 1, 50, "candidates stored for each face")
SETTING(max_faces, count, "64", 1, 200, "faces taken from one image, the largest first")
SETTING(min_face, size, "40", 16, 10000, "smallest face that is detected, in pixels of the image")
SETTING(max_pixels, size, "50000000", 1, 1000000000,
        "pixels of an image; a larger image is refused before it is decoded. A JPEG of one scan may have four times "
        "as many and is decoded smaller. Those of 16-bit samples count three times, those of a WebP or an interlaced "
        "PNG one and a half times. A byte of a lossy WebP counts as five pixels, one of a JPEG of several scans as "
        "three, and its pixels as a sixteenth for each scan; half of the pixels of all tiles and planes count")
SETTING(max_scans, count, "32", 1, 500,
        "scans of a progressive JPEG; one with more is refused before it is decoded, because each scan costs CPU time")
SETTING(max_image, size, "64MB", 1, 1 << 30, "bytes of an image file; a larger file is refused")
SETTING(recognize_timeout, duration, "20s", 1, 3600000, "time limit for one image, after which its worker is killed")
SETTING(start_timeout, duration, "60s", 1, 3600000, "time limit for a worker to load its plug-in")
SETTING(worker_images, count, "10000", 1, 1000000000, "images after which a worker is replaced")
SETTING(worker_memory, size, "2GB", 1, 1LL << 40,
        "memory at which a worker is replaced; it cannot allocate more than twice this")
SETTING(worker_queue, count, "256", 1, 100000,
        "requests (identify, enroll, thumbnail) that wait for a worker; further ones get 503")
/* queue, leases, retries, circuit breaker */
SETTING(lease, duration, "30s", 10, 86400000,
        "time after which an image that a node has claimed and not renewed may be claimed again")
SETTING(tries, count, "5", 1, 1000,
        "attempts at an image before infrastructure failures (crash, timeout) make it failed")
SETTING(retry_backoff, duration, "2s", 1, 3600000,
        "wait before the second attempt at an image; it doubles with each further attempt")
SETTING(poison_crashes, count, "3", 1, 100, "worker crashes after which an image is failed as poison")
SETTING(quarantine, duration, "1h", 0, 1000000000, "time for which the bytes of a poison image are refused")
SETTING(quarantine_max, count, "1000", 1, 2000,
        "quarantined images that the workers know; of more the ones that were added last, with a warning in the log")
SETTING(queue_poll, duration, "1s", 1, 3600000, "interval at which the database is polled for images that wait")
SETTING(breaker_failures, count, "5", 1, 1000, "consecutive infrastructure failures that open the circuit breaker")
SETTING(breaker_timeout, duration, "10s", 1, 3600000,
        "time from the opening of the circuit breaker to its first health check")
SETTING(breaker_timeout_max, duration, "5m", 1, 86400000,
        "longest time between health checks of the open circuit breaker; it doubles with each failed check")
SETTING(remote_check, duration, "10s", 10, 3600000,
        "interval at which a recogniser that may open network connections is asked for its health while no image shows "
        "that it works; kith is not ready while it fails; also the longest wait of its open circuit breaker")
SETTING(retry_policy, duration, "0s", 0, 2147483647,
        "interval at which the failed images that another try may cure are retried; 0s: only on request")
SETTING(retry_pause, duration, "10m", 0, 2147483647,
        "time that an image waits after its first retry failed before a retry of all failed images takes it again; it "
        "doubles with each further one")
SETTING(retry_pause_max, duration, "1d", 0, 1LL << 40, "longest time between such retries of one image")
SETTING(look_again_rate, count, "50", 1, 100000,
        "images that “look again” requeues in a second at most; it requeues none while as many wait, so that new ones "
        "come first")
SETTING(merge_undo, duration, "30d", 0, 315360000000,
        "how long a merge of two people can be undone; what undoing needs is deleted then")
SETTING(notes_max, size, "4KB", 2, 65000, "bytes in the notes of a person, as JSON without blanks")
SETTING(orphan_age, duration, "1h", 1, 2147483647, "age at which an uploaded file that belongs to no image is removed")
SETTING(spool_sweep, duration, "10s", 1, 86400000,
        "interval at which one of the spool's 256 folders is searched for files that belong to no image")
SETTING(disk_reserve, size, "64MB", 0, 1LL << 40,
        "free bytes on the disk, at most a sixteenth of it, below which nothing new is accepted (507); 0: off")
SETTING(events_keep, count, "1000000", 100, 1000000000, "events kept for subscribers that reconnect")
SETTING(keep_images, duration, "0s", 0, 3155760000000,
        "time after which a finished image is deleted, unless a person said something about a face in it; 0s: never")
SETTING(keep_unknown, duration, "0s", 0, 3155760000000,
        "the same for images in which nobody is known; 0s: as KITH_KEEP_IMAGES")
SETTING(keep_events, duration, "0s", 0, 3155760000000,
        "time after which an event is deleted; 0s: only KITH_EVENTS_KEEP limits them")
SETTING(keep_audit, duration, "0s", 0, 3155760000000, "time after which a row of the audit trail is deleted; 0s: never")
SETTING(keep_check, duration, "1m", 10, 86400000, "interval at which images are searched that are to be deleted by age")
SETTING(erase_age, duration, "7d", 60000, 315576000000,
        "a node that was not seen for so long empties its cache of thumbnails when it is back, as deletions are not "
        "listed for it any longer")
SETTING(upload_grace, duration, "10s", 0, 86400000,
        "age below which the file of a deleted upload stays: another upload of the same bytes may be under way")
SETTING(audit_backlog, count, "10000", 1, 10000000,
        "rows of the audit trail that wait while the database is away; further ones are lost and counted")
/* limits of the HTTP interface and the actors */
SETTING(max_body, size, "16MB", 1024, 30 << 20, "bytes of a request body")
SETTING(max_head, size, "64KB", 4096, 256 << 10, "bytes of the request line and the headers of an HTTP/1 request")
SETTING(max_paths, count, "10000", 1, 1000000, "paths in one request")
SETTING(max_path, size, "4000", 1, 4095, "bytes of a path")
SETTING(page_limit, count, "500", 1, 10000, "largest number of rows in one page of a list")
SETTING(max_connections, count, "4096", 1, 60000, "open connections")
SETTING(max_connections_per_address, count, "1024", 1, 60000, "open connections from one address")
SETTING(max_requests, count, "20000", 1, 1000000, "requests that are processed at the same time")
SETTING(max_subscribers, count, "256", 1, 60000, "open event streams")
SETTING(max_subscribers_per_address, count, "64", 1, 60000, "open event streams of one client address")
SETTING(max_subscribers_per_key, count, "64", 1, 60000, "open event streams of one API key")
SETTING(events_keepalive, duration, "10s", 10, 3600000,
        "interval of keep-alive comments on an idle event stream; they detect clients that have left")
SETTING(http_memory, size, "256MB", 1 << 20, 1LL << 40,
        "bytes of request bodies under way and of answers that are not read yet; above it new ones wait or get 503")
SETTING(http_address_memory, size, "128MB", 1 << 20, 1LL << 40, "the same for the connections of one client address")
SETTING(unknown_body, size, "16KB", 0, 1 << 30,
        "bytes of request bodies on a connection that has shown no valid API key, when keys are needed")
SETTING(idle_timeout, duration, "15s", 10, 3600000,
        "time after which a connection without a request is closed; the window over which min_rate is measured")
SETTING(min_rate, size, "1KB", 1, 1 << 30, "bytes a second, on average, below which an upload or a download is cut off")
SETTING(max_resets, count, "100", 1, 1000000,
        "cancelled requests, and requests without a valid API key, in one second after which a connection is closed")
SETTING(request_timeout, duration, "30s", 10, 3600000, "time limit for the answer to a request")
SETTING(shutdown_grace, duration, "10s", 0, 600000, "time limit for work in flight to finish after SIGTERM")
SETTING(mailbox_max, count, "65536", 64, 10000000, "messages in the mailbox of one actor; further requests get 503")
SETTING(mailbox_max_bytes, size, "128MB", 65536, 1LL << 40,
        "bytes of the messages in the mailbox of one actor; further requests get 503")
SETTING(slow_callback, duration, "100ms", 0, 3600000,
        "an actor's callback that takes longer is logged and counted; 0s: off")
SETTING(queue_limit, count, "100000000", 1, 1LL << 60,
        "images that wait in the database; further ones are refused with 503")
/* log */
SETTING(log_level, choice, "info", "debug,info,warn,error", 0, "least important level that is logged")
SETTING(log_format, choice, "text", "text,json", 0, "format of the log lines")
SETTING(log_buffer, size, "16MB", 65536, 1 << 30,
        "bytes of log lines kept in memory while standard error is not read; further lines are dropped and counted")
SETTING(access_log, choice, "on", "on,off", 0, "log one line for each request")
SETTING(log_refused, count, "20", 1, 1000000,
        "lines logged in one second about refused requests, and about wrong API keys; further ones are counted")
