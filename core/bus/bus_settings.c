#include "core/bus/bus_settings.h"

struct bus_options bus_settings(const struct settings_book *book)
{
    const struct settings *s = settings_of(book);

    return (struct bus_options){.servers = s->nats,
                                .user = s->nats_user,
                                .password = s->nats_password,
                                .token = s->nats_token,
                                .password_file = settings_secret_file(book, s->nats_password),
                                .token_file = settings_secret_file(book, s->nats_token),
                                .creds_file = s->nats_creds,
                                .nkey_seed_file = s->nats_nkey,
                                .ca_file = s->nats_ca,
                                .max_queued_bytes = (size_t)s->nats_buffer};
}
