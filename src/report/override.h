/* SPDX-License-Identifier: MIT */
/*
 * What a command line put in place of a scenario's host policy, as the first line of the scenario in a
 * trace: a comment to YAML, so that the rest stays the file as it was. docs/trace.md has the form.
 * Layer: report.
 */
#ifndef SL_REPORT_OVERRIDE_H
#define SL_REPORT_OVERRIDE_H

#include <stdio.h>

#include <seamlab/seamlab.h>

#include "base/err.h"
#include "engine/plugin.h"
#include "scenario/scenario.h"

/*
 * Does to the scenario what the options say, and loads the shared object that it names then, if any. 0 or -errno
 * and *err; *plugin is to be freed behind the scenario's last use.
 */
int override_all(const struct sl_policy_options *o, struct scenario *s, struct plugin **plugin,
		 struct sl_err *err);
/*
 * Puts the line in front of *text if there is something to say in it, or if the text begins as if it
 * had one. 0; or -ENOMEM, and *text stays.
 */
int override_write(const struct sl_policy_options *o, const struct plugin *plugin, char **text,
		   size_t *size);
/* Bytes of the line, its end included; 0 if there is none. */
size_t override_size(const char *text, size_t size);
/* Prints the line's options as they are given to seamlab check: " --policy NAME --set SWITCH=VALUE", ... */
void override_print(FILE *f, const char *text, size_t size);
/*
 * The scenario that @text holds, with what its line says, and the shared object that it names, if that is still the
 * one it was: a text that override_write() has seen. @path is where it came from. As override_all() otherwise.
 */
int override_read(const char *path, const char *text, size_t size, struct scenario **s,
		  struct plugin **plugin, struct sl_err *err);
/* Does to the scenario what the line says. 0 or -errno and *err. */
int override_apply(const char *text, size_t size, struct scenario *s, struct sl_err *err);

#endif
