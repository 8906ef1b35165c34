// A recogniser that violates the ABI: an exception leaves it. Only its worker process must end.
#include "plugins/recognizer.h"

#include <stdexcept>

namespace
{
int instance;

void *open_instance(const kith_settings *, char *, size_t)
{
    return &instance;
}

int health(void *, char *, size_t)
{
    return KITH_OK;
}

int recognize(void *, const kith_image *, kith_result *, char *, size_t)
{
    throw std::runtime_error("nobody catches this");
}

void close_instance(void *)
{
}

const kith_recognizer descriptor = {KITH_RECOGNIZER_MAGIC,
                                    KITH_RECOGNIZER_ABI,
                                    sizeof(kith_recognizer),
                                    KITH_NEEDS_PIXELS,
                                    "thrower",
                                    "1",
                                    "thrower",
                                    KITH_METRIC_L2,
                                    3,
                                    5,
                                    0,
                                    open_instance,
                                    health,
                                    recognize,
                                    close_instance};
} // namespace

const kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
