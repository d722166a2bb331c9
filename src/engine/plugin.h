/* SPDX-License-Identifier: MIT */
/*
 * A policy of the user's, in a shared object (seamlab/policy.h): loading it, asking it, and not trusting it.
 * Each question is asked twice and the answer compared with what was said to the same context before, as the
 * explorer, a replay and whoever reads a table rely on hooks being pure functions. A crash inside a hook is
 * caught and named. Layer: engine.
 *
 * Questions may come from several threads at once. Signal handlers are the process's, while one is loaded.
 */
#ifndef SL_ENGINE_PLUGIN_H
#define SL_ENGINE_PLUGIN_H

#include "base/err.h"
#include "scenario/scenario.h"

struct plugin;

/*
 * Loads the shared object that the scenario names, if it names one, and completes the scenario's policy: base,
 * the plug-in's own settings, the scenario's. 0 and *out (NULL: it names none); or -errno and *err: no such
 * file, no policy of this version, a bad base or setting, another file than the one that was expected. The
 * scenario's policy is not to be used after plugin_free().
 */
int plugin_attach(struct scenario *s, struct plugin **out, struct sl_err *err) SL_WARN_UNUSED;
void plugin_free(struct plugin *p);

/*
 * To be called when nobody asks any more, in front of any verdict: asks everything once again. 0; or -EINVAL
 * and *err, if the plug-in has turned out to be none to rely on, now or at any time before. @p may be NULL.
 */
int plugin_check(struct plugin *p, struct sl_err *err) SL_WARN_UNUSED;

/* XXH3 of the bytes of the file @path. 0, or -errno and *err. */
int plugin_file_hash(const char *path, u64 *hash, struct sl_err *err) SL_WARN_UNUSED;
const char *plugin_path(const struct plugin *p);
/* Of the file's bytes. */
u64 plugin_hash(const struct plugin *p);
const char *plugin_base(const struct plugin *p);
bool plugin_answers(const struct plugin *p, enum policy_question what);
/* "" if it has none. */
const char *plugin_title(const struct plugin *p);

#endif
