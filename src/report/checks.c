// SPDX-License-Identifier: MIT
/* Many scenarios as one document: JSON, KTAP, JUnit. Layer: report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "report/check_report.h"
#include "report/explain.h"
#include "report/markup.h"
#include "report/shard.h"

struct sl_checks {
	enum sl_checks_format format;
	u32 count, done;
	u32 expected, unexpected, errors, skipped;
	double seconds;
	/* JUnit says in its first line how it ended. */
	FILE *cases;
	json_t *shard; /* its head, or NULL: no shard */
	char *text;
	size_t size;
};

struct sl_checks *sl_checks_new(enum sl_checks_format format, unsigned int count)
{
	struct sl_checks *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->format = format;
	c->count = count;
	c->cases = open_memstream(&c->text, &c->size);
	if (!c->cases) {
		free(c);
		return NULL;
	}
	return c;
}

void sl_checks_free(struct sl_checks *c)
{
	if (!c)
		return;
	json_decref(c->shard);
	if (c->cases)
		fclose(c->cases);
	free(c->text);
	free(c);
}

/* What the next text is written to. */
struct piece {
	FILE *f;
	char *text;
	size_t size;
};

static bool piece_open(struct piece *p)
{
	*p = (struct piece){ 0 };
	p->f = open_memstream(&p->text, &p->size);
	return p->f;
}

static char *piece_end(struct piece *p)
{
	return text_finish(p->f, &p->text);
}

/* ---- KTAP ------------------------------------------------------------------------------------ */

/* A description ends at a '#', a line at its end. */
static void put_ktap(FILE *f, const char *text)
{
	for (; *text; text++)
		fputc(*text == '#' ? '_' : (u8)*text < 0x20 || *text == 0x7f ? ' ' : *text, f);
}

static void put_result(struct sl_checks *c, FILE *f, bool good, const char *path)
{
	fprintf(f, "%sok %u ", good ? "" : "not ", c->done);
	put_ktap(f, path);
}

static void put_note(FILE *f, const char *text)
{
	fputs("# ", f);
	put_ktap(f, text);
	fputc('\n', f);
}

/* ---- what came of it, in words --------------------------------------------------------------- */

/* "violated(livelock), expected holds: ..." */
static void put_verdict(const struct sl_check *check, char *text, size_t size)
{
	static const char *const expected[] = { "holds", "violated", "inconclusive" };
	const struct scenario *s = check->scenario;
	const struct xs_result *x = &check->result.search;
	const char *kind = check_kind(check);
	char found[64], wanted[64] = "as expected";

	snprintf(found, sizeof(found), "%s", check_verdict(check));
	if (kind || x->limit != XS_COMPLETE)
		snprintf(found, sizeof(found), "%s(%s)", check_verdict(check),
			 kind ? kind : check_limit(check));
	if (!check_as_expected(check) && s->expect_kind)
		snprintf(wanted, sizeof(wanted), "expected %s(%s)", expected[s->expect],
			 s->expect_kind);
	else if (!check_as_expected(check))
		snprintf(wanted, sizeof(wanted), "expected %s", expected[s->expect]);
	if (kind)
		snprintf(text, size, "%s, %s: %s: %s", found, wanted, x->id, x->text);
	else
		snprintf(text, size, "%s, %s", found, wanted);
}

/* ---- JUnit ----------------------------------------------------------------------------------- */

static void open_case(FILE *f, const char *path, double seconds)
{
	const char *slash = strrchr(path, '/');
	char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);

	fputs("  <testcase classname=\"", f);
	markup_escape(f, folder && *folder ? folder : ".");
	fputs("\" name=\"", f);
	markup_escape(f, slash ? slash + 1 : path);
	fprintf(f, "\" time=\"%.3f\">\n", seconds);
	free(folder);
}

static void close_case(FILE *f, const char *element, const char *text)
{
	if (element) {
		fprintf(f, "    <%s message=\"", element);
		markup_escape(f, text);
		fputs("\"/>\n", f);
	}
	fputs("  </testcase>\n", f);
}

/* ---- one after the other --------------------------------------------------------------------- */

static void begin_json(const struct sl_checks *c, FILE *f)
{
	char *head = c->shard ? json_dumps(c->shard, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;

	fputs("{\n", f);
	if (head)
		fprintf(f, "\"" SHARD_KEY "\": %s,\n", head);
	fputs("\"results\": [", f);
	free(head);
}

char *sl_checks_begin(struct sl_checks *c)
{
	struct piece p;

	if (!piece_open(&p))
		return NULL;
	if (c->format == SL_CHECKS_KTAP)
		fprintf(p.f, "KTAP version 1\n1..%u\n", c->count);
	else if (c->format == SL_CHECKS_JSON)
		begin_json(c, p.f);
	return piece_end(&p);
}

static void put_object(struct sl_checks *c, FILE *f, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;

	fprintf(f, "%s\n%s", c->done > 1 ? "," : "", text ? text : "null");
	free(text);
	json_decref(o);
}

char *sl_checks_add(struct sl_checks *c, const struct sl_check *check)
{
	const struct xs_result *x = &check->result.search;
	bool good = check_as_expected(check);
	const char *path = check->scenario->path;
	char text[640];
	struct piece p;
	json_t *o;

	if (!piece_open(&p))
		return NULL;
	c->done++;
	c->expected += good;
	c->unexpected += !good;
	c->seconds += x->seconds;
	put_verdict(check, text, sizeof(text));
	switch (c->format) {
	case SL_CHECKS_KTAP:
		put_result(c, p.f, good, path);
		fputc('\n', p.f);
		put_note(p.f, text);
		if (check->trace) {
			snprintf(text, sizeof(text), "seamlab replay %s", check->trace);
			put_note(p.f, text);
		}
		break;
	case SL_CHECKS_JUNIT:
		open_case(c->cases, path, x->seconds);
		close_case(c->cases, good ? NULL : "failure", text);
		break;
	case SL_CHECKS_JSON:
	default:
		o = check_to_json(check);
		if (c->shard)
			json_object_set_new(o, SHARD_RECORD_KEY, shard_record(check));
		put_object(c, p.f, o);
	}
	return piece_end(&p);
}

static char *without_verdict(struct sl_checks *c, const char *path, const char *text, bool error)
{
	struct piece p;

	if (!piece_open(&p))
		return NULL;
	c->done++;
	c->errors += error;
	c->skipped += !error;
	switch (c->format) {
	case SL_CHECKS_KTAP:
		put_result(c, p.f, !error, path);
		fputs(error ? "\n" : " # SKIP ", p.f);
		if (error) {
			put_note(p.f, text);
		} else {
			put_ktap(p.f, text);
			fputc('\n', p.f);
		}
		break;
	case SL_CHECKS_JUNIT:
		open_case(c->cases, path, 0);
		close_case(c->cases, error ? "error" : "skipped", text);
		break;
	case SL_CHECKS_JSON:
	default:
		put_object(c, p.f,
			   json_pack("{s:s, s:s}", "file", path, error ? "error" : "skipped",
				     text));
	}
	return piece_end(&p);
}

char *sl_checks_error(struct sl_checks *c, const char *path, const char *text)
{
	return without_verdict(c, path, text, true);
}

char *sl_checks_skip(struct sl_checks *c, const char *path, const char *text)
{
	return without_verdict(c, path, text, false);
}

char *sl_checks_left(struct sl_checks *c, const char *path)
{
	return without_verdict(c, path, SHARD_LEFT, false);
}

int sl_checks_shard(struct sl_checks *c, const struct sl_check_options *o, const char *const *path,
		    uint32_t count, char *err, size_t err_size)
{
	c->shard = shard_head(o, path, count);
	if (c->shard)
		return 0;
	snprintf(err, err_size, "out of memory");
	return -ENOMEM;
}

char *sl_checks_end(struct sl_checks *c)
{
	struct piece p;

	if (fflush(c->cases) || !piece_open(&p))
		return NULL;
	switch (c->format) {
	case SL_CHECKS_KTAP:
		fprintf(p.f, "# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:%u\n",
			c->expected, c->unexpected, c->skipped, c->errors);
		break;
	case SL_CHECKS_JUNIT:
		fprintf(p.f,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			"<testsuites>\n<testsuite name=\"seamlab check\" tests=\"%u\" "
			"failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\">\n%s"
			"</testsuite>\n</testsuites>\n",
			c->done, c->unexpected, c->errors, c->skipped, c->seconds, c->text);
		break;
	case SL_CHECKS_JSON:
	default:
		fprintf(p.f,
			"\n],\n\"as_expected\": %u,\n\"not_as_expected\": %u,\n\"errors\": %u,\n"
			"\"skipped\": %u\n}\n",
			c->expected, c->unexpected, c->errors, c->skipped);
	}
	return piece_end(&p);
}
