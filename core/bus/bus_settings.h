/* How to reach the NATS servers of the settings. */
#ifndef KITH_CORE_BUS_BUS_SETTINGS_H
#define KITH_CORE_BUS_BUS_SETTINGS_H

#include "core/base/settings/settings.h"
#include "core/bus/bus.h"

/* Servers, account and limits; the texts are borrowed from `book`. */
struct bus_options bus_settings(const struct settings_book *book);

#endif
