// SPDX-License-Identifier: MIT
/* Reports on several scenarios, one behind the other or as one document. Layer: cli. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

void cli_reports_format(struct argp_state *state, const char *arg, struct cli_reports *r)
{
	r->format = SL_FORMAT_TEXT;
	r->one_document = !strcmp(arg, "ktap") || !strcmp(arg, "junit");
	r->document = !strcmp(arg, "ktap") ? SL_CHECKS_KTAP : SL_CHECKS_JUNIT;
	if (r->one_document)
		return;
	if (!strcmp(arg, "json"))
		r->format = SL_FORMAT_JSON;
	else if (strcmp(arg, "text") != 0)
		argp_error(state, "--format: found '%s'; expected text, json, ktap or junit", arg);
}

/* The worse of two exit codes: input errors, then surprises, then limits. */
static int worse(int a, int b)
{
	static const int order[] = { SL_EXIT_USAGE, SL_EXIT_UNEXPECTED, SL_EXIT_INCONCLUSIVE };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a;
}

static void came_to(struct cli_reports *r, int code)
{
	if (code == SL_EXIT_EXPECTED)
		r->expected++;
	else
		r->unexpected++;
	r->code = worse(r->code, code);
}

/* Prints a piece of the document. */
static int put_piece(struct cli_reports *r, char *text)
{
	int rc = cli_print(r->command, text, SL_FORMAT_TEXT);

	r->code = worse(r->code, rc);
	return rc;
}

int cli_reports_new(struct cli_reports *r, int count)
{
	r->count = count;
	if (r->format == SL_FORMAT_JSON && (r->shard || count != 1)) {
		r->one_document = 1;
		r->document = SL_CHECKS_JSON;
	}
	if (!r->one_document)
		return 0;
	r->checks = sl_checks_new(r->document, (unsigned int)count);
	return r->checks ? 0 : cli_error(r->command, "out of memory");
}

int cli_reports_begin(struct cli_reports *r)
{
	return r->checks ? put_piece(r, sl_checks_begin(r->checks)) : 0;
}

void cli_reports_check(struct cli_reports *r, const struct sl_check *check)
{
	int rc;

	if (r->checks)
		rc = put_piece(r, sl_checks_add(r->checks, check));
	else
		rc = cli_print(r->command, sl_check_report(check, r->format), r->format);
	came_to(r, rc ? rc : (int)sl_check_exit(check));
}

void cli_reports_error(struct cli_reports *r, const char *path, const char *err)
{
	if (r->checks)
		put_piece(r, sl_checks_error(r->checks, path, err));
	came_to(r, SL_EXIT_USAGE);
}

void cli_reports_skip(struct cli_reports *r, const char *path, const char *why)
{
	r->skipped++;
	if (r->checks)
		put_piece(r, sl_checks_skip(r->checks, path, why));
}

void cli_reports_left(struct cli_reports *r, const char *path)
{
	r->code = worse(r->code, SL_EXIT_INCONCLUSIVE);
	if (r->checks)
		put_piece(r, sl_checks_left(r->checks, path));
}

int cli_reports_end(struct cli_reports *r, const struct sl_check_options *o)
{
	if (r->checks)
		put_piece(r, sl_checks_end(r->checks));
	else if (r->format == SL_FORMAT_TEXT && r->count > 1)
		printf("%d as expected, %d not, %d skipped (for seamlab run only, or slow%s)\n",
		       r->expected, r->unexpected, r->skipped,
		       o->host.policy || o->host.set_count ? ", or without a host" : "");
	sl_checks_free(r->checks);
	r->checks = NULL;
	return r->code;
}
