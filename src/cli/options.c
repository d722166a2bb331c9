// SPDX-License-Identifier: MIT
/* The parts of a command line that commands share. Layer: cli. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/number.h>

#include "cli/cli.h"

const char cli_releases[] =
#define SL_RELEASE(ident, patch, name) "|" name
#include <seamlab/tdx_release.def>
#undef SL_RELEASE
	;

void cli_parse(const char *command, const struct argp *argp, int argc, char **argv, void *input)
{
	char name[40], *own = argv[0];

	snprintf(name, sizeof(name), "seamlab %s", command);
	argv[0] = name;
	argp_err_exit_status = SL_EXIT_USAGE;
	argp_parse(argp, argc, argv, 0, NULL, input);
	argv[0] = own;
}

enum sl_format cli_format(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "json"))
		return SL_FORMAT_JSON;
	if (strcmp(arg, "text"))
		argp_error(state, "--format: found '%s'; expected text or json", arg);
	return SL_FORMAT_TEXT;
}

static void add_setting(struct argp_state *state, const char *setting, struct cli_policy *p,
			struct sl_policy_options *o)
{
	if (o->set_count == CLI_SETTINGS_MAX)
		argp_error(state, "--set: found more than %d; expected fewer", CLI_SETTINGS_MAX);
	p->set[o->set_count++] = setting;
	o->set = p->set;
}

static void add_named(struct argp_state *state, const char *name, const char *arg,
		      struct cli_policy *p, struct sl_policy_options *o)
{
	char *text = p->text[o->set_count % CLI_SETTINGS_MAX];

	snprintf(text, sizeof(p->text[0]), "%s=%s", name, arg);
	add_setting(state, text, p, o);
}

double cli_number(struct argp_state *state, const char *name, const char *arg, double max)
{
	double v;

	if (!sl_number(arg, max, &v))
		argp_error(state, "%s: found '%s'; expected a number from 0 to %g", name, arg, max);
	return v;
}

_Bool cli_limit_option(struct argp_state *state, int key, const char *arg, double *seconds,
		       size_t *memory)
{
	if (key == CLI_OPT_TIME && seconds)
		*seconds = cli_number(state, "--time", arg, 1e7);
	else if (key == CLI_OPT_MEMORY && memory)
		*memory = (size_t)(cli_number(state, "--memory", arg, 1e7) * 1e6);
	else
		return 0;
	return 1;
}

_Bool cli_words_option(struct argp_state *state, int key, struct cli_words *w)
{
	if (key != ARGP_KEY_ARGS)
		return 0;
	w->word = state->argv + state->next;
	w->count = state->argc - state->next;
	return 1;
}

_Bool cli_policy_option(struct argp_state *state, int key, const char *arg, struct cli_policy *p,
			struct sl_policy_options *o)
{
	switch (key) {
	case CLI_OPT_POLICY:
		o->policy = arg;
		return 1;
	case CLI_OPT_SET:
		add_setting(state, arg, p, o);
		return 1;
	case CLI_OPT_RELEASE:
		add_named(state, "release", arg, p, o);
		return 1;
	case CLI_OPT_FLAVOUR:
		add_named(state, "flavour", arg, p, o);
		return 1;
	default:
		return 0;
	}
}

enum sl_release cli_release(struct argp_state *state, const char *arg)
{
	enum sl_release release = SL_RELEASE_1_5_01;
	char names[200] = "";

	if (sl_release_find(arg, &release))
		return release;
	for (int i = 0; i < SL_RELEASES; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
			 sl_release_name((enum sl_release)i));
	}
	argp_error(state, "--release: found '%s'; expected one of %s", arg, names);
	return release;
}
