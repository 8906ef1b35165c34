/* The settings: one row of settings_table.h each, from which come the field here, the flag, the environment variable,
 * `kith config` and the documentation. Flags over environment over `.env` over defaults.
 * Read once at the start; constant afterwards, so any thread may read them.
 */
#ifndef KITH_CORE_BASE_SETTINGS_H
#define KITH_CORE_BASE_SETTINGS_H

#include "core/base/buf.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The C type of each kind of setting. Durations are milliseconds, sizes bytes; a fraction below 0 means «not set». */
typedef const char *setting_text;
typedef const char *setting_secret;
typedef const char *setting_choice;
typedef int64_t setting_count;
typedef int64_t setting_duration;
typedef int64_t setting_size;
typedef double setting_number;

struct settings {
#define SETTING(field, kind, initial, min, max, meaning) setting_##kind field;
#include "core/base/settings_table.h"
#undef SETTING
};

enum setting_source { FROM_DEFAULT, FROM_DOTENV, FROM_ENVIRONMENT, FROM_ALIAS, FROM_FILE, FROM_FLAG };

struct settings_book; /* the values and where each came from */

/* Reads `.env` in the working folder, `environment` (as environ) and the flags `--name=value` / `--name value` of
 * argv[1..argc). Arguments that are no flags are left in order in argv; *rest gets their count. Returns owned, or NULL
 * with one line in `error` that names the setting. */
struct settings_book *settings_load(int argc, char **argv, int *rest, char *const *environment, struct error *error);
void settings_free(struct settings_book *book);
/* Borrowed; valid until settings_free. */
const struct settings *settings_of(const struct settings_book *book);

/* "30s", "5m" → milliseconds; -EINVAL when it is no duration. */
int settings_duration(const char *text, int64_t *ms);

/* One line a setting for people (`kith config`): variable, value in force, source; secrets masked. */
void settings_print(const struct settings_book *book, struct buf *out);
/* One line a setting: flag, default, meaning, for `kith help settings`. */
void settings_help(struct buf *out);

/* The settings as name and text, secrets left out, for whoever knows them by name only (plug-ins). Fills at most `max`
 * of both arrays, borrowed until settings_free, and returns how many. */
int settings_texts(const struct settings_book *book, const char **names, const char **texts, int max);

#endif
