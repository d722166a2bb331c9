// SPDX-License-Identifier: MIT
/* seamlab merge. Layer: cli. */
#include <argp.h>

#include <seamlab/seamlab.h>

#include "cli/cli.h"

struct merge_args {
	struct cli_reports reports;
	struct cli_words files;
};

enum {
	OPT_FORMAT = 256,
};

static const struct argp_option options[] = {
	{ "format", OPT_FORMAT, "text|json|ktap|junit", 0,
	  "form of the report on standard output, as of seamlab check", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct merge_args *a = state->input;

	if (cli_words_option(state, key, &a->files))
		return 0;
	switch (key) {
	case OPT_FORMAT:
		cli_reports_format(state, arg, &a->reports);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no shards; expected the JSON reports of all of them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print_all(struct merge_args *a, const struct sl_merge *merge)
{
	uint32_t count = sl_merge_count(merge);
	int rc = cli_reports_new(&a->reports, (int)count);

	if (rc)
		return rc;
	cli_reports_begin(&a->reports);
	for (uint32_t i = 0; i < count; i++) {
		const struct sl_merged *item = sl_merge_at(merge, i);

		if (item->check) {
			cli_reports_check(&a->reports, item->check);
		} else if (item->error) {
			cli_error("merge", "%s", item->error);
			cli_reports_error(&a->reports, item->path, item->error);
		} else if (item->left) {
			cli_reports_left(&a->reports, item->path);
		} else {
			cli_reports_skip(&a->reports, item->path, item->skipped);
		}
	}
	return cli_reports_end(&a->reports, sl_merge_options(merge));
}

int cmd_merge(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE.json...",
		.doc = "Join the JSON reports of all shards of a set, as seamlab check --shard K/N "
		       "prints them: the report that one seamlab check of the whole set would have "
		       "printed.\v"
		       "Exit status: that of the whole set: 0 every verdict as expected, 1 a verdict not "
		       "as expected, 2 usage or input (also: a shard is missing, is there twice, or is of "
		       "another set), 3 inconclusive.",
	};
	struct merge_args a = { .reports = { .command = "merge" } };
	struct sl_merge_options o = { 0 };
	struct sl_merge *merge;
	char err[1300];
	int code;

	cli_parse("merge", &argp, argc, argv, &a);
	o.path = (const char *const *)a.files.word;
	o.path_count = (uint32_t)a.files.count;
	o.style = cli_style();
	if (sl_merge_files(&o, &merge, err, sizeof(err)))
		return cli_error("merge", "%s", err);
	code = print_all(&a, merge);
	sl_merge_free(merge);
	return code;
}
