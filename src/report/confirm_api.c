// SPDX-License-Identifier: MIT
/* seamlab matrix --confirm: what the lock plans predict against what happens. Layer: report. */
#include <errno.h>
#include <seamlab/tdx_abi.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "report/confirm.h"

/* One world has a few thousand states; what needs more than that is a mistake in confirm.def. */
#define WORLD_MEMORY (512ull << 20)
/* Seconds for the shortest interleaving. */
#define MINIMISE_SECONDS 10.0

/* A pair that is being tried out. */
struct trial {
	struct confirm_result *r;
	const struct sl_confirm_options *o;
	/* What a TDCALL's lane may be refused, or refuse, by entering its vCPU. */
	struct meeting entering[2][MEETINGS_MAX];
	u32 entering_count[2];
	const char *world;                    /* being explored */
	const struct confirm_refusal *wanted; /* NULL: everything is of interest */
	int rc;
	struct sl_err err;
};

/* ---- what is predicted ----------------------------------------------------------------------- */

static bool same_refusal(const struct confirm_refusal *a, const struct confirm_refusal *b)
{
	return a->loser == b->loser && a->object == b->object && a->large == b->large &&
	       a->status == b->status;
}

static struct confirm_cell *find_cell(struct confirm_result *r, const struct confirm_refusal *x)
{
	for (u32 i = 0; i < r->cells; i++)
		if (same_refusal(&r->cell[i].refusal, x))
			return &r->cell[i];
	return NULL;
}

static struct confirm_cell *add_cell(struct confirm_result *r, const struct confirm_refusal *x)
{
	struct confirm_cell *c = &r->cell[r->cells];

	SL_BUG_ON(r->cells == CONFIRM_CELLS_MAX);
	r->cells++;
	*c = (struct confirm_cell){ .refusal = *x };
	return c;
}

/* One and the same leaf twice: it does not matter who of them it was. */
static u8 loser_of(const struct confirm_result *r, u32 lane)
{
	return r->pair.leaf[0] == r->pair.leaf[1] ? 0 : (u8)lane;
}

static void predict_side(struct confirm_result *r, u32 lane, const struct meeting *x,
			 const struct lock_step *s)
{
	enum lock_object met = (enum lock_object)x->object;
	struct confirm_refusal refusal;
	struct confirm_cell *c;

	if (!s)
		return;
	refusal = (struct confirm_refusal){ .loser = loser_of(r, lane),
					    .object = s->object,
					    .large = met == LOCK_LARGE_PAGE,
					    .status = s->busy };
	if (find_cell(r, &refusal))
		return;
	c = add_cell(r, &refusal);
	c->lock = lock_object_info(met)->name;
	c->why = lock_absent((enum lock_object)s->object);
	if (!c->why)
		c->why = lock_absent(met);
	c->verdict = c->why ? CONFIRM_ABSENT : CONFIRM_NOT_SEEN;
}

/* What no plan lists: the hardened flavour of a leaf wants a lock of all of the TD for itself. */
static void predict_hardened(struct confirm_result *r, u32 lane)
{
	const struct leaf_ref *self = r->pair.leaf[lane], *other = r->pair.leaf[!lane];
	const struct lock_step *mine = leaf_plan(r->pair.release, self);
	const struct lock_step *plan = leaf_plan(r->pair.release, other);

	if (r->pair.flavour != SL_HARDENED)
		return;
	for (; mine && mine->object != LOCK_END; mine++) {
		if (mine->mode == LOCK_EX ||
		    !leaf_lock_hardened(self, (enum lock_object)mine->object))
			continue;
		for (const struct lock_step *s = plan; s && s->object != LOCK_END; s++) {
			struct meeting x = { .object = s->object };

			if (s->object != mine->object)
				continue;
			predict_side(r, lane, &x, mine);
			predict_side(r, !lane, &x, s);
		}
	}
}

static void predict(struct trial *t)
{
	struct confirm_result *r = t->r;
	const struct leaf_ref *enter =
		leaf_by_number(r->pair.release, false, SEAMCALL_tdh_vp_enter);
	struct meeting x[MEETINGS_MAX];
	u32 n = leaf_meetings(r->pair.release, r->pair.leaf[0], r->pair.leaf[1], x);

	r->pair.objects = 0;
	for (u32 i = 0; i < n; i++) {
		r->pair.objects |= 1u << x[i].object;
		predict_side(r, 0, &x[i], x[i].a);
		predict_side(r, 1, &x[i], x[i].b);
	}
	predict_hardened(r, 0);
	predict_hardened(r, 1);
	for (u32 i = 0; i < 2; i++)
		t->entering_count[i] =
			r->pair.leaf[i]->guest
				? leaf_meetings(r->pair.release, enter,
						r->pair.leaf[!i]->guest ? enter : r->pair.leaf[!i],
						t->entering[i])
				: 0;
}

/* ---- what happens ---------------------------------------------------------------------------- */

/* Does the refusal belong to the entry of a vCPU that only brings a TDCALL about? */
static bool is_of_entry(const struct trial *t, u32 lane, const struct confirm_refusal *x,
			bool guest)
{
	if (t->r->pair.leaf[lane]->guest && !guest)
		return true;
	for (u32 i = 0; i < t->entering_count[!lane]; i++) {
		const struct meeting *m = &t->entering[!lane][i];

		if (m->b && m->b->object == x->object && m->b->busy == x->status)
			return true;
	}
	return false;
}

static void seen(struct trial *t, u32 lane, const struct confirm_refusal *x, bool guest)
{
	struct confirm_cell *c = find_cell(t->r, x);

	if (!c) {
		if (is_of_entry(t, lane, x, guest))
			return;
		c = add_cell(t->r, x);
		c->lock = lock_object_info((enum lock_object)x->object)->name;
		c->verdict = CONFIRM_UNEXPECTED;
	} else if (c->verdict == CONFIRM_ABSENT) {
		c->verdict = CONFIRM_UNEXPECTED;
	} else if (c->verdict == CONFIRM_NOT_SEEN) {
		c->verdict = CONFIRM_SEEN;
	}
	if (!c->world)
		c->world = strdup(t->world);
}

static bool on_note(void *ctx, u32 lane, enum sl_note what, u64 a, u64 b, char *text, size_t size)
{
	struct trial *t = ctx;
	struct confirm_refusal x = { .object = (u8)(a & SL_REFUSED_OBJECT),
				     .large = a & SL_REFUSED_LARGE,
				     .status = b };

	if (what != SL_NOTE_REFUSED || lane > 1)
		return false;
	x.loser = loser_of(t->r, lane);
	if (!t->wanted) {
		seen(t, lane, &x, a & SL_REFUSED_GUEST);
		return false;
	}
	if (!same_refusal(&x, t->wanted))
		return false;
	snprintf(text, size, "%s does not get %s", t->r->pair.leaf[lane]->name,
		 lock_object_info((enum lock_object)x.object)->name);
	return true;
}

static const char *known_finding(const struct confirm_pair *p, u32 kind)
{
	if (p->flavour == SL_HARDENED)
		return NULL;
#define SL_CONFIRM_FINDING(first, second, kind_, text)                                      \
	if (kind == SL_VIOLATION_##kind_ &&                                                 \
	    ((!strcmp(p->leaf[0]->ident, #first) && !strcmp(p->leaf[1]->ident, #second)) || \
	     (!strcmp(p->leaf[1]->ident, #first) && !strcmp(p->leaf[0]->ident, #second))))  \
		return (text);
#include "report/confirm.def"
#undef SL_CONFIRM_FINDING
	return NULL;
}

static void add_finding(struct trial *t, const struct xs_result *x)
{
	struct confirm_result *r = t->r;
	struct confirm_finding *f;

	for (u32 i = 0; i < r->findings; i++)
		if (r->finding[i].kind == x->kind && !strcmp(r->finding[i].id, x->id)) {
			r->finding[i].times++;
			return;
		}
	SL_BUG_ON(r->findings == CONFIRM_FINDINGS_MAX);
	f = &r->finding[r->findings++];
	*f = (struct confirm_finding){ .kind = x->kind,
				       .known = known_finding(&r->pair, x->kind),
				       .world = strdup(t->world),
				       .times = 1 };
	snprintf(f->id, sizeof(f->id), "%s", x->id);
	snprintf(f->text, sizeof(f->text), "%s", x->text);
}

/* A world that does not come about: a mistake in confirm.def, or no memory. */
static int bad_world(struct trial *t, int rc)
{
	const struct confirm_pair *p = &t->r->pair;
	const char *run = strstr(t->world, "run:");
	char why[200];

	snprintf(why, sizeof(why), "%.199s", t->err.text);
	return sl_err_set(&t->err, rc, "%s beside %s: %s, in\n%.450s", p->leaf[0]->name,
			  p->leaf[1]->name, why, run ? run : t->world);
}

/* Explores @text for what @t wants; the result is the caller's to free if *out. */
static int explore_text(struct trial *t, const char *text, struct explore_result *out)
{
	const struct explore_listener listener = { .note = on_note, .ctx = t };
	struct xs_options o = { .races = true,
				/* Whatever else is found does not end the search. */
				.prefer = SL_VIOLATION_BOUND + 1,
				.minimise_seconds = t->wanted ? MINIMISE_SECONDS : 0,
				.memory = WORLD_MEMORY };
	struct scenario *s;
	int rc;

	t->world = text;
	rc = scenario_read_text("world", text, strlen(text), &s, &t->err);
	if (rc)
		return bad_world(t, rc);
	rc = explore_listen(s, &o, &listener, out, &t->err);
	scenario_free(s);
	if (rc)
		return bad_world(t, rc);
	if (out->search.limit != XS_COMPLETE) {
		explore_free(out);
		sl_err_set(&t->err, -E2BIG, "too many states");
		return bad_world(t, -E2BIG);
	}
	return 0;
}

static bool on_world(void *ctx, const char *text)
{
	struct trial *t = ctx;
	struct explore_result out;

	if (t->o->interrupted && t->o->interrupted(t->o->ctx)) {
		t->rc = -EINTR;
		return false;
	}
	t->rc = explore_text(t, text, &out);
	if (t->rc)
		return false;
	t->r->worlds++;
	t->r->states += out.search.states;
	t->r->transitions += out.search.transitions;
	if (out.search.kind != XS_KIND_NONE)
		add_finding(t, &out.search);
	explore_free(&out);
	return true;
}

/* One interleaving for each refusal that was seen. */
static int add_traces(struct trial *t)
{
	for (u32 i = 0; i < t->r->cells; i++) {
		struct confirm_cell *c = &t->r->cell[i];

		if (!c->world)
			continue;
		c->trace = calloc(1, sizeof(*c->trace));
		if (!c->trace)
			return -ENOMEM;
		t->wanted = &c->refusal;
		t->rc = explore_text(t, c->world, c->trace);
		t->wanted = NULL;
		if (t->rc) {
			free(c->trace);
			c->trace = NULL;
			return t->rc;
		}
	}
	return 0;
}

static int try_pair(const struct sl_confirm_options *o, struct confirm_result *r, bool traces,
		    struct sl_err *err)
{
	struct trial *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->r = r;
	t->o = o;
	predict(t);
	if (!confirm_worlds(&r->pair, on_world, t) && !t->rc)
		t->rc = -ENOMEM;
	rc = t->rc;
	if (!rc && traces)
		rc = add_traces(t);
	*err = t->err;
	free(t);
	return rc;
}

static void result_free(struct confirm_result *r)
{
	for (u32 i = 0; i < r->cells; i++) {
		free(r->cell[i].world);
		if (r->cell[i].trace)
			explore_free(r->cell[i].trace);
		free(r->cell[i].trace);
	}
	for (u32 i = 0; i < r->findings; i++)
		free(r->finding[i].world);
	r->cells = r->findings = 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool confirm_cell_good(const struct confirm_cell *c)
{
	return c->verdict == CONFIRM_SEEN || c->verdict == CONFIRM_ABSENT;
}

bool confirm_finding_good(const struct confirm_finding *f)
{
	return f->known != NULL;
}

/* Everything that comes out, as it comes. */
struct output {
	const struct sl_confirm_options *o;
	struct matrix *m;
	FILE *f;       /* text */
	json_t *pairs; /* or JSON */
	u32 done, all;
	u32 left; /* pairs that meet and cannot be tried */
	u64 predicted, seen, absent, bad, findings, worlds, states;
	double seconds;
};

static bool is_wanted(const struct matrix *m, u32 a, u32 b)
{
	return matrix_wanted(m, a, b) && confirm_knows(&m->leaf[a]) && confirm_knows(&m->leaf[b]);
}

static void count(struct output *out, const struct confirm_result *r)
{
	for (u32 i = 0; i < r->cells; i++) {
		out->predicted += r->cell[i].verdict == CONFIRM_SEEN ||
				  r->cell[i].verdict == CONFIRM_NOT_SEEN;
		out->seen += r->cell[i].verdict == CONFIRM_SEEN;
		out->absent += r->cell[i].verdict == CONFIRM_ABSENT;
		out->bad += !confirm_cell_good(&r->cell[i]);
	}
	for (u32 i = 0; i < r->findings; i++) {
		out->findings++;
		out->bad += !confirm_finding_good(&r->finding[i]);
	}
	out->worlds += r->worlds;
	out->states += r->states;
}

static int pair_out(struct output *out, u32 a, u32 b, struct sl_err *err)
{
	bool traces = out->m->only[1] >= 0;
	struct confirm_result *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->pair = (struct confirm_pair){ .release = out->o->release,
					 .flavour = out->o->flavour,
					 .leaf = { &out->m->leaf[a], &out->m->leaf[b] } };
	rc = try_pair(out->o, r, traces, err);
	if (!rc) {
		count(out, r);
		if (out->f)
			confirm_text(out->f, r, traces);
		else
			json_array_append_new(out->pairs, confirm_json(r, traces));
	}
	result_free(r);
	free(r);
	out->done++;
	if (out->o->progress)
		out->o->progress(out->o->ctx, out->done, out->all);
	return rc;
}

static int pairs_out(struct output *out, struct sl_err *err)
{
	int rc = 0;

	for (u32 a = 0; a < out->m->count; a++)
		for (u32 b = 0; b < out->m->count; b++) {
			out->all += is_wanted(out->m, a, b);
			out->left += !is_wanted(out->m, a, b) && matrix_wanted(out->m, a, b) &&
				     matrix_meetings(out->m, a, b);
		}
	for (u32 a = 0; a < out->m->count; a++)
		for (u32 b = 0; b < out->m->count && !rc; b++)
			if (is_wanted(out->m, a, b))
				rc = pair_out(out, a, b, err);
	return rc;
}

static const char *flavour_name(enum sl_flavour f)
{
	return f == SL_HARDENED ? "hardened" : "published";
}

static int text_out(struct output *out, char **report, struct sl_err *err)
{
	size_t size;
	int rc;

	*report = NULL;
	out->f = open_memstream(report, &size);
	if (!out->f)
		return -ENOMEM;
	rc = pairs_out(out, err);
	fprintf(out->f,
		"%u pairs in release %s %s: %llu of %llu refusals that the lock plans predict were "
		"seen",
		out->done, sl_release_name(out->o->release), flavour_name(out->o->flavour),
		(unsigned long long)out->seen, (unsigned long long)out->predicted);
	if (out->absent)
		fprintf(out->f, ", %llu more are not modelled", (unsigned long long)out->absent);
	if (out->left)
		fprintf(out->f, "; %u pairs more that meet have no world to try them out in",
			out->left);
	fprintf(out->f, "; %llu worlds, %llu states: %s\n", (unsigned long long)out->worlds,
		(unsigned long long)out->states, out->bad ? "NOT confirmed" : "confirmed");
	return text_finish(out->f, report) ? rc : -ENOMEM;
}

static int json_out(struct output *out, char **report, struct sl_err *err)
{
	json_t *o;
	int rc;

	out->pairs = json_array();
	rc = pairs_out(out, err);
	o = json_pack("{s:s, s:s, s:b, s:I, s:I, s:i, s:o}", "release",
		      sl_release_name(out->o->release), "flavour", flavour_name(out->o->flavour),
		      "confirmed", out->bad == 0, "worlds", (json_int_t)out->worlds, "states",
		      (json_int_t)out->states, "not_tried", (int)out->left, "pairs", out->pairs);
	*report = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	return *report ? rc : -ENOMEM;
}

/* A leaf that was named and cannot be tried: its index, or -1. */
static int missing_leaf(const struct matrix *m)
{
	for (u32 i = 0; i < 2; i++)
		if (m->only[i] >= 0 && !confirm_knows(&m->leaf[m->only[i]]))
			return m->only[i];
	return -1;
}

int sl_confirm(const struct sl_confirm_options *o, char **report, enum sl_exit *exit, char *err,
	       size_t err_size)
{
	struct matrix *m = calloc(1, sizeof(*m));
	struct output out = { .o = o, .m = m };
	struct sl_err e = { .text = "" };
	int rc = m ? matrix_open(m, o->release, o->leaf, e.text, sizeof(e.text)) : -ENOMEM;

	*report = NULL;
	*exit = SL_EXIT_EXPECTED;
	if (!rc && missing_leaf(m) >= 0) {
		char name[64];

		snprintf(err, err_size, "%s: there is no world to try it out in%s",
			 matrix_leaf_name(&m->leaf[missing_leaf(m)], name),
			 m->leaf[missing_leaf(m)].modelled ? "" : ", for it is not modelled");
		*exit = SL_EXIT_SKIPPED;
	} else if (!rc) {
		rc = o->format == SL_FORMAT_JSON ? json_out(&out, report, &e)
						 : text_out(&out, report, &e);
		if (out.bad)
			*exit = SL_EXIT_UNEXPECTED;
	}
	if (rc) {
		free(*report);
		*report = NULL;
		snprintf(err, err_size, "%s", rc == -ENOMEM ? "out of memory" : e.text);
	}
	free(m);
	return rc;
}
