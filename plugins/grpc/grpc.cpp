/* The remote recogniser: a gRPC service that implements proto/face.proto.
 *
 * The request is the path of an image, as the client sent it. The answer is the name of the matching known photo, or
 * `not_found`; it has no box and no distance.
 *
 *   KITH_GRPC_ADDRESS   host:port, or another gRPC target such as dns:///…
 *   KITH_GRPC_TIMEOUT   the deadline of a call
 *   KITH_GRPC_CA        file of trusted certificate authorities: enables TLS
 *
 * kith has one worker for it by default, so that the service gets one call at a time. Photos of known people are never
 * sent to it when they are enrolled: the service has its own.
 *
 * health() asks the service whether it is ready: HealthCheck of face.proto; if the service does not implement it, Check
 * of the gRPC health checking protocol; if it implements neither, any answer shows that it runs. After a failure it
 * also asks about the image that was answered last once more: some services report that they are ready before they can
 * identify. kith's own health check then asks about a photo of a known person, if there is one.
 *
 * gRPC connects at the first call and reconnects when the connection breaks; open() succeeds without a connection, so
 * that kith may start before the service. A gRPC error is a failure of the recogniser, which the circuit breaker
 * counts, except INVALID_ARGUMENT and NOT_FOUND, which are failures of the image.
 */
#include "plugins/recognizer.h"

#include <face.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <health.grpc.pb.h>

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

struct instance {
    std::string address;
    std::chrono::milliseconds timeout{10000};
    std::unique_ptr<facerecog::Identify::Stub> identify;
    std::unique_ptr<facerecog::HealthCheck::Stub> check;
    std::unique_ptr<grpc::health::v1::Health::Stub> standard;
    std::string answered; /* path of the latest image that the service answered; "": none */
    bool failed = false;  /* it has not answered one since */
    std::string label;    /* part of the result: valid until the next call */
    kith_face face{};
};

const char *grpc_find_setting(const kith_settings *settings, const char *name)
{
    for (const kith_setting *s = settings->list; s->name; s++)
        if (std::strcmp(s->name, name) == 0)
            return s->value;
    return "";
}

/* A duration in kith's format: a number and ms, s, m or h. */
std::chrono::milliseconds grpc_parse_duration(const char *text)
{
    char *unit = nullptr;
    const double n = std::strtod(text, &unit);
    const double ms = std::strcmp(unit, "ms") == 0  ? 1
                      : std::strcmp(unit, "m") == 0 ? 60e3
                      : std::strcmp(unit, "h") == 0 ? 3600e3
                                                    : 1e3;

    return std::chrono::milliseconds(static_cast<long long>(n * ms));
}

/* Limits the reconnect back-off to a second; gRPC's default is two minutes. */
std::shared_ptr<grpc::Channel> grpc_connect(const std::string &address, const std::string &ca)
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

bool grpc_read_file(const char *path, std::string &text)
{
    std::ifstream file(path, std::ios::binary);

    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    return file.good() || file.eof();
}

void *grpc_open_instance(const kith_settings *settings, char *error, size_t error_size)
{
    auto me = std::make_unique<instance>();
    const char *ca_file = grpc_find_setting(settings, "grpc_ca");
    std::string ca;

    me->address = grpc_find_setting(settings, "grpc_address");
    if (me->address.empty()) {
        std::snprintf(error, error_size, "KITH_GRPC_ADDRESS is missing: the host:port of the remote recogniser");
        return nullptr;
    }
    if (me->address.compare(0, 5, "unix:") == 0 || me->address.compare(0, 14, "unix-abstract:") == 0) {
        std::snprintf(error, error_size,
                      "KITH_GRPC_ADDRESS: the sandbox of a worker has no Unix sockets; give host:port");
        return nullptr;
    }
    if (ca_file[0] && (!grpc_read_file(ca_file, ca) || ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos)) {
        std::snprintf(error, error_size, "KITH_GRPC_CA: there is no certificate in %s", ca_file);
        return nullptr;
    }
    me->timeout = grpc_parse_duration(grpc_find_setting(settings, "grpc_timeout"));
    const std::shared_ptr<grpc::Channel> channel = grpc_connect(me->address, ca);
    me->identify = facerecog::Identify::NewStub(channel);
    me->check = facerecog::HealthCheck::NewStub(channel);
    me->standard = grpc::health::v1::Health::NewStub(channel);
    return me.release();
}

int grpc_set_error(const instance *me, const grpc::Status &status, char *error, size_t error_size)
{
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
        std::snprintf(error, error_size, "the remote recogniser %s did not answer in %lld ms (KITH_GRPC_TIMEOUT)",
                      me->address.c_str(), static_cast<long long>(me->timeout.count()));
    else
        std::snprintf(error, error_size, "the remote recogniser %s: %s (gRPC code %d)", me->address.c_str(),
                      status.error_message().c_str(), static_cast<int>(status.error_code()));
    return KITH_FAILED;
}

/* gRPC codes that tell about the image and not about the service. */
bool grpc_is_about_image(const grpc::Status &status)
{
    return status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
           status.error_code() == grpc::StatusCode::NOT_FOUND;
}

/* Asks about an image that it has answered before; the file may be gone, so only failures of the service count. */
int grpc_call_again(const instance *me, char *error, size_t error_size)
{
    grpc::ClientContext context;
    facerecog::IdentifyRequest request;
    facerecog::IdentifyResponse answer;

    if (me->answered.empty() || !me->failed)
        return KITH_OK;
    request.set_image_path(me->answered);
    context.set_deadline(std::chrono::system_clock::now() + me->timeout);
    const grpc::Status status = me->identify->Identify(&context, request, &answer);
    return status.ok() || grpc_is_about_image(status) ? KITH_OK : grpc_set_error(me, status, error, error_size);
}

grpc::Status grpc_call_original_health(const instance *me, bool &ready)
{
    grpc::ClientContext context;
    facerecog::HealthCheckResponse answer;

    context.set_deadline(std::chrono::system_clock::now() + me->timeout);
    const grpc::Status status = me->check->HealthCheck(&context, facerecog::Empty(), &answer);
    ready = answer.ready();
    return status;
}

/* NOT_FOUND: it does not report the health of the whole server, which the empty name stands for. */
grpc::Status grpc_call_standard_health(const instance *me, bool &ready)
{
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckResponse answer;

    context.set_deadline(std::chrono::system_clock::now() + me->timeout);
    const grpc::Status status = me->standard->Check(&context, grpc::health::v1::HealthCheckRequest(), &answer);
    ready = answer.status() == grpc::health::v1::HealthCheckResponse::SERVING;
    if (status.error_code() != grpc::StatusCode::UNIMPLEMENTED && status.error_code() != grpc::StatusCode::NOT_FOUND)
        return status;
    ready = true;
    return grpc::Status::OK;
}

int grpc_call_health(const instance *me, char *error, size_t error_size)
{
    bool ready = false;
    grpc::Status status = grpc_call_original_health(me, ready);

    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED)
        status = grpc_call_standard_health(me, ready);
    if (!status.ok())
        return grpc_set_error(me, status, error, error_size);
    if (!ready) {
        std::snprintf(error, error_size, "the remote recogniser %s reports that it is not ready", me->address.c_str());
        return KITH_FAILED;
    }
    return grpc_call_again(me, error, error_size);
}

int grpc_call_identify(instance *me, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    grpc::ClientContext context;
    facerecog::IdentifyRequest request;
    facerecog::IdentifyResponse answer;

    result->face_count = 0;
    if (!image->path || !image->path[0]) /* an upload has no path to send */
        return KITH_OK;
    request.set_image_path(image->path);
    if (image->size >= offsetof(kith_image, trace) + sizeof image->trace && image->trace[0])
        context.AddMetadata("traceparent", image->trace);
    context.set_deadline(std::chrono::system_clock::now() + me->timeout);
    const grpc::Status status = me->identify->Identify(&context, request, &answer);
    me->failed = !status.ok() && !grpc_is_about_image(status);
    if (grpc_is_about_image(status)) {
        std::snprintf(error, error_size, "%s", status.error_message().c_str());
        return KITH_BAD_IMAGE;
    }
    if (!status.ok())
        return grpc_set_error(me, status, error, error_size);
    if (answer.image_name().empty()) {
        std::snprintf(error, error_size, "the remote recogniser %s returned an empty name", me->address.c_str());
        return KITH_FAILED;
    }
    if (answer.image_name().size() > 255) {
        std::snprintf(error, error_size, "the remote recogniser %s returned a name of %zu bytes; the limit is 255",
                      me->address.c_str(), answer.image_name().size());
        return KITH_FAILED;
    }
    me->answered = image->path;
    me->label = answer.image_name() == NOT_FOUND ? "" : answer.image_name();
    me->face = kith_face{};
    me->face.size = sizeof me->face;
    me->face.label = me->label.c_str();
    result->faces = &me->face;
    result->face_count = 1;
    return KITH_OK;
}

/* --- ABI functions: they catch all exceptions --- */

void *plugin_open(const kith_settings *settings, char *error, size_t error_size)
{
    try {
        return grpc_open_instance(settings, error, error_size);
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown exception");
    }
    return nullptr;
}

int plugin_health(void *self, char *error, size_t error_size)
{
    try {
        return grpc_call_health(static_cast<const instance *>(self), error, error_size);
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown exception");
    }
    return KITH_FAILED;
}

int plugin_recognize(void *self, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    try {
        return grpc_call_identify(static_cast<instance *>(self), image, result, error, error_size);
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown exception");
    }
    return KITH_FAILED;
}

void plugin_close(void *self)
{
    try {
        delete static_cast<instance *>(self);
    } catch (...) { /* there is no error to return */
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
    1, /* labels have distance 0, so every label is accepted */
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
