/* The remote recogniser: any service that speaks the original face.proto.
 *
 * It is sent the path of an image, as the client gave it, and answers with the name of the known photo that the face
 * in it looks like, or `not_found`. Where the face is, and how near it came, it does not say.
 *
 *   KITH_GRPC_ADDRESS   host:port (dns:///… and other gRPC targets work as well)
 *   KITH_GRPC_TIMEOUT   the deadline of a call
 *   KITH_GRPC_CA        authorities to trust: the connection is TLS
 *
 * The connection is made when it is first needed and again whenever it breaks; open() succeeds without it, so that
 * kith starts before the service does. Whatever gRPC reports is the recogniser's failure (the breaker counts it) but
 * for INVALID_ARGUMENT and NOT_FOUND, which are about the image.
 */
#include "plugins/recognizer.h"

#include <face.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace
{

const char NOT_FOUND[] = "not_found";

struct Instance {
    std::string address;
    std::chrono::milliseconds timeout{10000};
    std::unique_ptr<facerecog::Identify::Stub> identify;
    std::unique_ptr<facerecog::HealthCheck::Stub> check;
    std::string label; /* what recognize() returns stays valid until its next call */
    kith_face face{};
};

const char *setting(const kith_settings *settings, const char *name)
{
    for (const kith_setting *s = settings->list; s->name; s++)
        if (std::strcmp(s->name, name) == 0)
            return s->value;
    return "";
}

/* A duration as kith writes it: a number and ms, s, m or h. */
std::chrono::milliseconds duration(const char *text)
{
    char *unit = nullptr;
    const double n = std::strtod(text, &unit);
    const double ms = std::strcmp(unit, "ms") == 0  ? 1
                      : std::strcmp(unit, "m") == 0 ? 60e3
                      : std::strcmp(unit, "h") == 0 ? 3600e3
                                                    : 1e3;

    return std::chrono::milliseconds(static_cast<long long>(n * ms));
}

/* As soon as the service is back it is found again: the wait between attempts is bounded by a second, not by two
 * minutes. */
std::shared_ptr<grpc::Channel> connect(const std::string &address, const std::string &ca)
{
    grpc::ChannelArguments arguments;
    grpc::SslCredentialsOptions ssl;

    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60000);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    ssl.pem_root_certs = ca;
    return grpc::CreateCustomChannel(
        address, ca.empty() ? grpc::InsecureChannelCredentials() : grpc::SslCredentials(ssl), arguments);
}

bool read_file(const char *path, std::string &text)
{
    std::ifstream file(path, std::ios::binary);

    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    return file.good() || file.eof();
}

void *open_it(const kith_settings *settings, char *error, size_t error_size)
{
    auto me = std::make_unique<Instance>();
    const char *ca_file = setting(settings, "grpc_ca");
    std::string ca;

    me->address = setting(settings, "grpc_address");
    if (me->address.empty()) {
        std::snprintf(error, error_size, "KITH_GRPC_ADDRESS is missing: the host:port of the remote recogniser");
        return nullptr;
    }
    if (ca_file[0] && (!read_file(ca_file, ca) || ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos)) {
        std::snprintf(error, error_size, "KITH_GRPC_CA: there is no certificate in %s", ca_file);
        return nullptr;
    }
    me->timeout = duration(setting(settings, "grpc_timeout"));
    const std::shared_ptr<grpc::Channel> channel = connect(me->address, ca);
    me->identify = facerecog::Identify::NewStub(channel);
    me->check = facerecog::HealthCheck::NewStub(channel);
    return me.release();
}

int failed(const Instance *me, const grpc::Status &status, char *error, size_t error_size)
{
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
        std::snprintf(error, error_size, "the remote recogniser %s did not answer in %lld ms (KITH_GRPC_TIMEOUT)",
                      me->address.c_str(), static_cast<long long>(me->timeout.count()));
    else
        std::snprintf(error, error_size, "the remote recogniser %s: %s (gRPC code %d)", me->address.c_str(),
                      status.error_message().c_str(), static_cast<int>(status.error_code()));
    return KITH_FAILED;
}

int health_of(Instance *me, char *error, size_t error_size)
{
    grpc::ClientContext context;
    facerecog::HealthCheckResponse answer;

    context.set_deadline(std::chrono::system_clock::now() + me->timeout);
    const grpc::Status status = me->check->HealthCheck(&context, facerecog::Empty(), &answer);
    if (!status.ok())
        return failed(me, status, error, error_size);
    if (answer.ready())
        return KITH_OK;
    std::snprintf(error, error_size, "the remote recogniser %s says that it is not ready", me->address.c_str());
    return KITH_FAILED;
}

int ask(Instance *me, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    grpc::ClientContext context;
    facerecog::IdentifyRequest request;
    facerecog::IdentifyResponse answer;

    result->face_count = 0;
    if (!image->path || !image->path[0]) /* it came as bytes: nothing can be asked */
        return KITH_OK;
    request.set_image_path(image->path);
    if (image->size >= offsetof(kith_image, trace) + sizeof image->trace && image->trace[0])
        context.AddMetadata("traceparent", image->trace);
    context.set_deadline(std::chrono::system_clock::now() + me->timeout);
    const grpc::Status status = me->identify->Identify(&context, request, &answer);
    if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
        status.error_code() == grpc::StatusCode::NOT_FOUND) {
        std::snprintf(error, error_size, "%s", status.error_message().c_str());
        return KITH_BAD_IMAGE;
    }
    if (!status.ok())
        return failed(me, status, error, error_size);
    if (answer.image_name().empty()) {
        std::snprintf(error, error_size, "the remote recogniser %s gave no name, not even not_found",
                      me->address.c_str());
        return KITH_FAILED;
    }
    if (answer.image_name().size() > 255) {
        std::snprintf(error, error_size, "the remote recogniser %s gave a name of %zu bytes; the limit is 255",
                      me->address.c_str(), answer.image_name().size());
        return KITH_FAILED;
    }
    me->label = answer.image_name() == NOT_FOUND ? "" : answer.image_name();
    me->face = kith_face{};
    me->face.size = sizeof me->face;
    me->face.label = me->label.c_str();
    result->faces = &me->face;
    result->face_count = 1;
    return KITH_OK;
}

/* --- the ABI: no exception leaves --- */

void *plugin_open(const kith_settings *settings, char *error, size_t error_size)
{
    try {
        return open_it(settings, error, error_size);
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown exception");
    }
    return nullptr;
}

int plugin_health(void *instance, char *error, size_t error_size)
{
    try {
        return health_of(static_cast<Instance *>(instance), error, error_size);
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown exception");
    }
    return KITH_FAILED;
}

int plugin_recognize(void *instance, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    try {
        return ask(static_cast<Instance *>(instance), image, result, error, error_size);
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown exception");
    }
    return KITH_FAILED;
}

void plugin_close(void *instance)
{
    try {
        delete static_cast<Instance *>(instance);
    } catch (...) { /* nobody to tell */
    }
}

const kith_recognizer descriptor = {
    KITH_RECOGNIZER_MAGIC,
    KITH_RECOGNIZER_ABI,
    sizeof(kith_recognizer),
    KITH_NEEDS_PATH | KITH_NEEDS_NETWORK,
    "grpc",
    "1",
    "remote",
    KITH_METRIC_L2,
    0,
    1, /* the distance it does not give is 0: what it names is named */
    0,
    plugin_open,
    plugin_health,
    plugin_recognize,
    plugin_close,
    0,
};

} // namespace

extern "C" const kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
