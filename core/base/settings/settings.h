/* The settings. Each is a row of settings_table.h, from which the field here, the flag, the environment variable,
 * `kith config` and `kith help settings` are made. Flags override the environment, which overrides `.env`, which
 * overrides the defaults. Constant after settings_load, so any thread may read them.
 */
#ifndef KITH_CORE_BASE_SETTINGS_SETTINGS_H
#define KITH_CORE_BASE_SETTINGS_SETTINGS_H

#include "core/base/buf.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The C type of each kind of setting. Durations are in milliseconds, sizes in bytes. */
typedef const char *setting_text;
typedef const char *setting_secret;
typedef const char *setting_choice;
typedef int64_t setting_count;
typedef int64_t setting_duration;
typedef int64_t setting_size;
typedef double setting_number;

struct settings {
#define SETTING(field, kind, initial, min, max, meaning) setting_##kind field;
#include "core/base/settings/settings_table.h"
#undef SETTING
};

enum setting_source { FROM_DEFAULT, FROM_DOTENV, FROM_ENVIRONMENT, FROM_ALIAS, FROM_FILE, FROM_FLAG };

struct settings_book; /* the values and where each came from */

/* Reads `.env` in the working folder, `environment` (as environ) and the flags `--name=value` / `--name value` of
 * argv[1..argc). Other arguments stay in argv, in order; *rest gets their count. Returns owned, or NULL
 * with one line in `error` that names the setting. */
struct settings_book *settings_load(int argc, char **argv, int *rest, char *const *environment, struct error *error);
void settings_free(struct settings_book *book);
/* Borrowed; valid until settings_free. */
const struct settings *settings_of(const struct settings_book *book);

/* The file that a secret of settings_of was read from, to read it again later; NULL: it is from elsewhere. Borrowed. */
const char *settings_secret_file(const struct settings_book *book, const char *secret);

/* "30s", "5m" → milliseconds; -EINVAL when it is no duration. */
int settings_duration(const char *text, int64_t *ms);

/* For `kith config`, a line for each setting: variable, value, source. Secrets are masked. */
void settings_print(const struct settings_book *book, struct buf *out);
/* For `kith help settings`: variable, default and help text of each setting. */
void settings_help(struct buf *out);

/* Names and texts of all settings but secrets, for plug-ins. Fills at most `max` entries of both arrays, borrowed until
 * settings_free. Returns their number. */
int settings_texts(const struct settings_book *book, const char **names, const char **texts, int max);

#endif
