// SPDX-License-Identifier: MIT
/* Settles claims by exploring their scenarios for each release and flavour. Layer: report. */
#include "report/answers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report/check_report.h"

static const char *const flavours[ANSWERS_FLAVOURS] = { "published", "hardened" };

const char *answers_flavour_name(u32 cell)
{
	return flavours[cell % ANSWERS_FLAVOURS];
}

static bool is_open(const struct answers_finding *f)
{
	return !strcmp(f->verdict, "inconclusive");
}

const struct answers_evidence *answers_against(const struct answers_row *r, u32 cell)
{
	for (u32 i = 0; i < r->claim->count; i++)
		if (!r->cell[cell].finding[i].speaks_for && !is_open(&r->cell[cell].finding[i]))
			return &r->claim->evidence[i];
	return NULL;
}

const char *answers_verdict(const struct answers_row *r, u32 cell)
{
	bool open = !r->cell[cell].done;

	for (u32 i = 0; i < r->claim->count && !open; i++)
		open = is_open(&r->cell[cell].finding[i]);
	if (!r->claim->question && r->cell[cell].done && answers_against(r, cell))
		return "refuted";
	if (open)
		return "open";
	return r->claim->question ? "answered" : "proved";
}

u64 answers_states(const struct answers_row *r, u32 cell)
{
	u64 states = 0;

	for (u32 i = 0; i < r->claim->count; i++)
		states += r->cell[cell].finding[i].states;
	return states;
}

char *answers_command(const struct answers_row *r, u32 cell, u32 evidence)
{
	const struct answers_finding *f = &r->cell[cell].finding[evidence];
	char *text;
	int n;

	n = asprintf(&text, "seamlab check%s%s --flavour %s%s %s", f->lock ? "" : " --release ",
		     f->lock ? "" : sl_release_name(answers_release(cell)),
		     answers_flavour_name(cell),
		     r->claim->evidence[evidence].bounds ? " --bounds" : "",
		     r->claim->evidence[evidence].path);
	return n < 0 ? NULL : text;
}

char *answers_bounds(const struct answers_finding *found)
{
	const char *sep = "";
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		char bound[BOUND_TEXT_MAX];

		if (!(found->visited >> i & 1))
			continue;
		fprintf(f, "%s%s %s", sep, host_site_name((enum host_site)i),
			bound_text(&found->bound[i], bound));
		sep = ", ";
	}
	return fclose(f) ? (free(text), NULL) : text;
}

/* ---- exploring ------------------------------------------------------------------------------- */

struct settle {
	const struct sl_answers_options *o;
	struct sl_answers *a;
	struct sl_answers_progress progress;
};

static bool is_interrupted(void *ctx)
{
	const struct settle *s = ctx;

	return s->o->interrupted && s->o->interrupted(s->o->ctx);
}

static void keep(const struct sl_check *c, const struct answers_evidence *e,
		 struct answers_finding *f)
{
	const struct xs_result *x = &c->result.search;
	const char *kind = check_kind(c);

	*f = (struct answers_finding){ .verdict = check_verdict(c),
				       .kind = kind,
				       .limit = check_limit(c),
				       .certain = x->certain,
				       .lock = c->scenario->lock != SCN_LOCK_NONE,
				       .states = x->states,
				       .seconds = x->seconds,
				       .steps = kind ? x->steps : 0 };
	f->speaks_for = e->violated ? kind && !strcmp(kind, e->kind) : !strcmp(f->verdict, "holds");
	for (u32 i = 0; i < HOST_SITE_COUNT; i++) {
		f->bound[i] = x->bound[i][XS_VISIT];
		f->visited |= (u64)(c->result.stats->site[i].calls != 0) << i;
	}
}

/* DIR/m2-published-1.5.01-NAME.trace */
static int save(const struct settle *s, struct sl_check *c, struct answers_row *r, u32 cell,
		u32 evidence, char *err, size_t err_size)
{
	struct answers_finding *f = &r->cell[cell].finding[evidence];
	const char *path = r->claim->evidence[evidence].path, *slash = strrchr(path, '/');
	int n, rc;

	if (!s->o->trace_dir || !f->kind)
		return 0;
	n = asprintf(&f->trace, "%s/%s-%s-%s-%s.trace", s->o->trace_dir, r->claim->id,
		     sl_release_name(answers_release(cell)), answers_flavour_name(cell),
		     slash ? slash + 1 : path);
	if (n < 0) {
		f->trace = NULL;
		return -ENOMEM;
	}
	rc = sl_check_save(c, f->trace, err, err_size);
	return rc < 0 ? rc : 0;
}

/* Does the scenario in the file have no release? Then --release would be refused. */
static int find_lock(const char *path, bool *lock, struct sl_err *e)
{
	struct scenario *s;
	int rc = scenario_read_file(path, &s, e);

	if (rc)
		return rc;
	*lock = s->lock != SCN_LOCK_NONE;
	scenario_free(s);
	return 0;
}

static int settle_one(struct settle *s, struct answers_row *r, u32 cell, u32 evidence, char *err,
		      size_t err_size)
{
	const struct answers_evidence *e = &r->claim->evidence[evidence];
	char flavour[40], release[40];
	const char *set[] = { flavour, release };
	struct sl_check_options o = { .path = e->path,
				      .host = { .set = set, .set_count = 2 },
				      .seconds = s->o->seconds,
				      .memory = s->o->memory,
				      .bounds = e->bounds,
				      .interrupted = is_interrupted,
				      .ctx = s };
	struct sl_err inner = { .text = "" };
	struct sl_check *c;
	bool lock;
	int rc;

	if (e->one_release && e->release != answers_release(cell)) {
		r->cell[cell].finding[evidence] =
			(struct answers_finding){ .verdict = "-", .speaks_for = true };
		return 0;
	}
	rc = find_lock(e->path, &lock, &inner);
	if (rc) {
		snprintf(err, err_size, "%s", inner.text);
		return rc;
	}
	snprintf(flavour, sizeof(flavour), "flavour=%s", answers_flavour_name(cell));
	snprintf(release, sizeof(release), "release=%s", sl_release_name(answers_release(cell)));
	o.host.set_count -= lock;
	rc = sl_check_scenario(&o, &c, err, err_size);
	if (rc)
		return rc;
	keep(c, e, &r->cell[cell].finding[evidence]);
	rc = save(s, c, r, cell, evidence, err, err_size);
	s->a->seconds += c->result.search.seconds;
	sl_check_free(c);
	return rc;
}

static int settle_row(struct settle *s, struct answers_row *r, char *err, size_t err_size)
{
	int rc;

	for (u32 cell = 0; cell < ANSWERS_CELLS; cell++) {
		for (u32 i = 0; i < r->claim->count; i++) {
			if (is_interrupted(s))
				return 0;
			s->progress.claim = r->claim->id;
			s->progress.file = r->claim->evidence[i].path;
			if (s->o->progress)
				s->o->progress(s->o->ctx, &s->progress);
			rc = settle_one(s, r, cell, i, err, err_size);
			if (rc)
				return rc;
			s->progress.done++;
		}
		r->cell[cell].done = true;
	}
	return 0;
}

static bool is_wanted(const struct sl_answers_options *o, const struct answers_claim *c)
{
	for (uint32_t i = 0; i < o->id_count; i++)
		if (!strcasecmp(o->id[i], c->id))
			return true;
	return !o->id_count;
}

/* Every id that is asked for has to be there. */
static int check_ids(const struct sl_answers_options *o, const struct answers *a, char *err,
		     size_t err_size)
{
	for (uint32_t i = 0; i < o->id_count; i++) {
		bool there = false;
		int n;

		for (u32 j = 0; j < a->count; j++)
			there |= !strcasecmp(o->id[i], a->claim[j].id);
		if (there)
			continue;
		n = snprintf(err, err_size, "%s: found no claim '%s'; expected one of", a->path,
			     o->id[i]);
		for (u32 j = 0; j < a->count && n >= 0 && (size_t)n < err_size; j++)
			n += snprintf(err + n, err_size - (size_t)n, " %s", a->claim[j].id);
		return -EINVAL;
	}
	return 0;
}

int sl_answers_settle(const struct sl_answers_options *o, struct sl_answers **answers, char *err,
		      size_t err_size)
{
	struct sl_answers *a = calloc(1, sizeof(*a));
	struct settle s = { .o = o, .a = a };
	struct sl_err e = { .text = "out of memory" };
	int rc = a ? answers_read(o->path, &a->claims, &e) : -ENOMEM;

	if (rc) {
		snprintf(err, err_size, "%s", e.text);
	} else {
		rc = check_ids(o, a->claims, err, err_size);
	}
	if (!rc) {
		a->row = calloc(a->claims->count, sizeof(*a->row));
		if (!a->row) {
			rc = -ENOMEM;
			snprintf(err, err_size, "out of memory");
		}
	}
	for (u32 i = 0; !rc && i < a->claims->count; i++) {
		if (!is_wanted(o, &a->claims->claim[i]))
			continue;
		s.progress.all += a->claims->claim[i].count * ANSWERS_CELLS;
		a->row[a->rows++].claim = &a->claims->claim[i];
	}
	for (u32 i = 0; !rc && i < a->rows; i++)
		rc = settle_row(&s, &a->row[i], err, err_size);
	if (rc)
		sl_answers_free(a);
	else
		*answers = a;
	return rc;
}

enum sl_exit sl_answers_exit(const struct sl_answers *a)
{
	for (u32 i = 0; i < a->rows; i++)
		for (u32 cell = 0; cell < ANSWERS_CELLS; cell++)
			if (!strcmp(answers_verdict(&a->row[i], cell), "open"))
				return SL_EXIT_INCONCLUSIVE;
	return SL_EXIT_EXPECTED;
}

char *sl_answers_report(const struct sl_answers *a, enum sl_answers_format format)
{
	switch (format) {
	case SL_ANSWERS_JSON:
		return answers_report_json(a);
	case SL_ANSWERS_HTML:
		return answers_report_html(a);
	case SL_ANSWERS_TEXT:
	default:
		return answers_report_text(a);
	}
}

int sl_answers_list(const char *path, char **report, char *err, size_t err_size)
{
	struct sl_err e = { .text = "" };
	struct answers *claims;
	int rc = answers_read(path, &claims, &e);

	if (rc) {
		snprintf(err, err_size, "%s", e.text);
		return rc;
	}
	*report = answers_list_text(claims);
	answers_free(claims);
	return 0;
}

void sl_answers_free(struct sl_answers *a)
{
	if (!a)
		return;
	for (u32 i = 0; i < a->rows; i++)
		for (u32 cell = 0; cell < ANSWERS_CELLS; cell++)
			for (u32 j = 0; j < ANSWERS_EVIDENCE_MAX; j++)
				free(a->row[i].cell[cell].finding[j].trace);
	free(a->row);
	answers_free(a->claims);
	free(a);
}
