// SPDX-License-Identifier: MIT
/* From the rows of a replay to a story. Layer: report. */
#include "report/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <seamlab/hplock.h>
#include <seamlab/tdx_abi.h>

#include "base/bug.h"
#include "engine/caller.h"
#include "engine/explore/xp.h"
#include "module/sept.h"
#include "report/explain.h"
#include "report/policy_report.h"

/* ---- values ---------------------------------------------------------------------------------- */

static const struct {
	u64 exclusive, priority, reader;
} layout[] = {
	[XWORD_MUTEX] = { HP_MUTEX_TAKEN, 0, 0 },
	[XWORD_SHAREX] = { SHAREX_EX, 0, SHAREX_READER },
	[XWORD_SHAREX_HP] = { SHAREX_HP_EX, SHAREX_HP_PRIORITY, SHAREX_HP_READER },
	[XWORD_ENTRY] = { SEPT_ENTRY_TDEL, SEPT_ENTRY_HP, 0 },
	[XWORD_BARE_ENTRY] = { SEPT_ENTRY_TDEL, SEPT_ENTRY_HP, 0 },
	[XWORD_REFCOUNT] = { 0, 0, 0 },
};

bool story_has_priority(const struct story_object *o, u64 value)
{
	return value & layout[o->word].priority;
}

bool story_is_held(const struct story_object *o, u64 value, bool *exclusive)
{
	*exclusive = value & layout[o->word].exclusive;
	return *exclusive || (layout[o->word].reader && value / layout[o->word].reader);
}

const char *story_state(const struct story_object *o, u64 value, char text[96])
{
	const char *priority = story_has_priority(o, value) ? " +HP" : "";
	u64 readers = layout[o->word].reader ? value / layout[o->word].reader : 0;
	bool exclusive;

	story_is_held(o, value, &exclusive);
	switch (o->word) {
	case XWORD_MUTEX:
	case XWORD_SHAREX:
	case XWORD_SHAREX_HP:
		if (!readers)
			snprintf(text, 96, "%s%s", exclusive ? "EX" : "free", priority);
		else
			snprintf(text, 96, "%sSH %llu%s", exclusive ? "EX " : "",
				 (unsigned long long)readers, priority);
		return text;
	case XWORD_ENTRY:
		snprintf(text, 96, "%s%s%s", sept_state_name(sept_state(value)),
			 exclusive ? " +lock" : "", priority);
		return text;
	case XWORD_BARE_ENTRY:
		snprintf(text, 96, "%s%s", exclusive ? "locked" : "free", priority);
		return text;
	case XWORD_EPOCH:
	case XWORD_REFCOUNT:
		snprintf(text, 96, "%llu", (unsigned long long)value);
		return text;
	case XWORD_NUMBER:
	default:
		snprintf(text, 96, "0x%llx", (unsigned long long)value);
		return text;
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Is @o what @row touches? What has a name as a whole only has words that are told apart by their place. */
static bool is_same(const struct story_object *o, const struct explore_row *row)
{
	if (o->word != row->word)
		return false;
	return o->word == XWORD_NUMBER ? o->at == row->at : !strcmp(o->called, row->object);
}

static u32 object_of(struct story *s, const struct explore_row *row)
{
	struct story_object *o = &s->object[s->objects];
	u32 namesakes = 0;

	for (u32 i = 0; i < s->objects; i++) {
		if (is_same(&s->object[i], row))
			return i;
		namesakes += !strcmp(s->object[i].called, row->object);
	}
	/* As many as there are rows, at most. */
	*o = (struct story_object){
		.word = row->word, .at = row->at, .called = row->object, .first = row->before
	};
	if (namesakes)
		snprintf(o->name, sizeof(o->name), "%s (%u)", row->object, namesakes + 1);
	else
		snprintf(o->name, sizeof(o->name), "%s", row->object);
	return s->objects++;
}

static struct story_event *new_event(struct story *s, enum story_kind kind, u32 step, u32 lane)
{
	struct story_event *e = &s->event[s->events++];

	*e = (struct story_event){
		.kind = kind, .step = step, .lane = lane, .object = STORY_NONE, .call = STORY_NONE
	};
	if (lane >= s->lanes)
		s->lanes = lane + 1;
	return e;
}

static enum story_tone tone_of(const struct story *s, u64 status)
{
	u64 class = status & TDX_STATUS_CLASS_MASK;

	if (!s->replay->scenario->td_count)
		return status == CALLER_BUSY || status == CALLER_BUSY_HP ? STORY_BUSY : STORY_FINE;
	if (class == TDX_OPERAND_BUSY || class == TDX_OPERAND_BUSY_HOST_PRIORITY)
		return STORY_BUSY;
	return status >> 63 ? STORY_ERROR : STORY_FINE;
}

/* Where a call begins and, behind all rows if it does not, ends. */
struct span {
	const char *name;
	u32 lane, began, began_row, end_row;
};

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->began != y->began)
		return x->began < y->began ? -1 : 1;
	if (x->began_row != y->began_row)
		return x->began_row < y->began_row ? -1 : 1;
	/* The outer one ends later. Among the open ones it stands in front. */
	if (x->end_row != y->end_row)
		return x->end_row > y->end_row ? -1 : 1;
	return 0;
}

static struct span *find_spans(const struct explore_result *r, u32 *count)
{
	struct span *span =
		calloc(r->rows + XP_FIBERS_MAX * EXPLORE_CALLS_DEEP + 1u, sizeof(*span));
	u32 n = 0;

	if (!span)
		return NULL;
	for (u32 i = 0; i < r->rows; i++)
		if (r->row[i].call)
			span[n++] = (struct span){ r->row[i].object, r->row[i].lane,
						   r->row[i].began, r->row[i].began_row, i };
	for (u32 lane = 0; lane < XP_FIBERS_MAX; lane++)
		for (u32 d = 0; d < r->open_count[lane]; d++)
			span[n++] =
				(struct span){ r->open[lane][d].object, lane,
					       r->open[lane][d].began, r->open[lane][d].began_row,
					       r->rows + EXPLORE_CALLS_DEEP - d };
	qsort(span, n, sizeof(*span), by_begin);
	*count = n;
	return span;
}

/* The calls that each lane is in, the innermost one last. */
struct stacks {
	u32 call[XP_FIBERS_MAX][EXPLORE_CALLS_DEEP];
	u32 depth[XP_FIBERS_MAX];
};

static void add_begin(struct story *s, struct stacks *in, const struct span *span)
{
	struct story_event *e = new_event(s, STORY_BEGIN, span->began, span->lane);
	struct story_call *c = &s->call[s->calls];

	*c = (struct story_call){ .lane = span->lane,
				  .depth = in->depth[span->lane],
				  .tone = STORY_OPEN,
				  .begin = s->events - 1,
				  .end = STORY_NONE };
	snprintf(c->name, sizeof(c->name), "%s", span->name);
	e->call = s->calls;
	SL_BUG_ON(c->depth == EXPLORE_CALLS_DEEP);
	in->call[span->lane][in->depth[span->lane]++] = s->calls++;
}

/* With the reason of a TD exit in words. */
static void set_status(struct story_call *c, const struct explore_row *row)
{
	const char *reason = strncmp(row->what, "TD exit ", 8)
				     ? NULL
				     : exit_reason_name((u32)(row->status & 0xFFFF));

	c->status_value = row->status;
	snprintf(c->status, sizeof(c->status), "%s%s%s", row->what, reason ? ", " : "",
		 reason ? reason : "");
}

static void add_row(struct story *s, struct stacks *in, const struct explore_row *row)
{
	struct story_event *e =
		new_event(s, row->call ? STORY_END : STORY_ACCESS, row->step, row->lane);
	u32 depth = in->depth[row->lane];
	struct story_object *o;
	struct story_call *c;

	e->row = row;
	if (depth)
		e->call = in->call[row->lane][depth - 1];
	if (row->call) {
		SL_BUG_ON(!depth);
		in->depth[row->lane]--;
		c = &s->call[e->call];
		c->end = s->events - 1;
		c->tone = tone_of(s, row->status);
		set_status(c, row);
		return;
	}
	e->object = object_of(s, row);
	o = &s->object[e->object];
	o->lanes |= 1u << row->lane;
	o->writes += row->before != row->after;
	source_find(s->source, row->pc, &e->where);
}

static void add_events(struct story *s, const struct explore_result *r, const struct span *span,
		       u32 spans, char *const *about)
{
	struct stacks in = { 0 };
	u32 row = 0, next = 0;

	for (u32 step = 1; step <= r->played; step++) {
		u32 before = s->events;

		if (r->search.loop_start < r->search.steps && step == r->search.loop_start + 1)
			s->loop = s->events;
		for (;;) {
			if (next < spans && span[next].began == step && span[next].began_row <= row)
				add_begin(s, &in, &span[next++]);
			else if (row < r->rows && r->row[row].step == step)
				add_row(s, &in, &r->row[row++]);
			else
				break;
		}
		if (s->events != before)
			continue;
		new_event(s, STORY_STEP, step, explore_lane_of(r, &r->search.step[step - 1]))
			->about = about[step - 1];
	}
}

/* ---- which objects get a column -------------------------------------------------------------- */

static u32 rank(const struct story_object *o)
{
	bool contended = o->lanes & (o->lanes - 1);
	bool count = o->word == XWORD_EPOCH || o->word == XWORD_REFCOUNT;

	if (o->word == XWORD_NUMBER)
		return 0;
	/* A word that several lanes touch and that changes, locks and entries first. */
	return 1 + (contended ? 8u : 0) + (o->writes ? 4u : 0) + (count ? 0u : 2u) +
	       (o->word == XWORD_ENTRY ? 1u : 0);
}

static void choose_columns(struct story *s)
{
	bool contended = false;

	for (u32 i = 0; i < s->objects; i++)
		contended |= rank(&s->object[i]) > 12;
	while (s->columns < STORY_COLUMNS_MAX) {
		struct story_object *best = NULL;

		for (u32 i = 0; i < s->objects; i++) {
			struct story_object *o = &s->object[i];

			if (!o->column && rank(o) > (contended ? 12u : 0u) &&
			    (!best || rank(o) > rank(best)))
				best = o;
		}
		if (!best)
			return;
		best->column = true;
		s->columns++;
	}
}

bool story_tell(struct story *s, const struct sl_replay *r, char *const *about, bool with_source)
{
	const struct explore_result *x = &r->result;
	u32 spans, most;
	struct span *span = find_spans(x, &spans);

	*s = (struct story){ .replay = r, .lanes = x->lanes, .loop = STORY_NONE };
	if (!span)
		return false;
	most = x->rows + spans + x->played + 1u;
	s->object = calloc(x->rows + 1u, sizeof(*s->object));
	s->call = calloc(spans + 1u, sizeof(*s->call));
	s->event = calloc(most, sizeof(*s->event));
	if (!s->object || !s->call || !s->event) {
		free(span);
		story_free(s);
		return false;
	}
	if (with_source)
		s->source = source_open();
	add_events(s, x, span, spans, about);
	free(span);
	choose_columns(s);
	return true;
}

void story_free(struct story *s)
{
	source_close(s->source);
	free(s->object);
	free(s->call);
	free(s->event);
	*s = (struct story){ 0 };
}

/* ---- in words -------------------------------------------------------------------------------- */

void story_line(const struct story *s, const struct story_event *e, const char *arrow, char *text,
		size_t size)
{
	const struct story_object *o = e->object == STORY_NONE ? NULL : &s->object[e->object];
	const char *op = e->row ? explore_access_name(e->row->op, e->row->when) : "";
	char before[96], after[96];

	switch (e->kind) {
	case STORY_STEP:
		snprintf(text, size, "%s", e->about);
		return;
	case STORY_BEGIN:
		snprintf(text, size, "%s", s->call[e->call].name);
		return;
	case STORY_END:
		snprintf(text, size, "%s", s->call[e->call].status);
		return;
	case STORY_ACCESS:
	default:
		break;
	}
	story_state(o, e->row->before, before);
	story_state(o, e->row->when == XP_EVENT_BUFFERED ? e->row->stored : e->row->after, after);
	if (e->row->before == e->row->after)
		snprintf(text, size, "%s%s%s %s", o->column ? "" : o->name, o->column ? "" : ": ",
			 e->row->op == XP_CAS ? "failed cas" : op, after);
	else if (!strcmp(before, after))
		snprintf(text, size, "%s%s%s %s %s", o->column ? "" : o->name,
			 o->column ? "" : ": ", op, after, "(other bits)");
	else
		snprintf(text, size, "%s%s%s %s %s %s", o->column ? "" : o->name,
			 o->column ? "" : ": ", op, before, arrow, after);
}

u64 story_value(const struct story *s, u32 object, u32 event)
{
	for (u32 i = event + 1; i--;)
		if (s->event[i].object == object)
			return s->event[i].row->after;
	return s->object[object].first;
}

const char *story_lane(const struct story *s, u32 lane)
{
	return s->replay->result.lane_name[lane];
}

void story_setting(const struct story *s, char *text, size_t size)
{
	const struct scenario *scn = s->replay->scenario;

	snprintf(text, size, "%s%s%s%s%s%s", scn->td_count ? "module " : "lock word",
		 scn->td_count ? sl_release_name(scn->module.release) : "", " ",
		 scn->module.flavour == SL_HARDENED ? "hardened" : "published",
		 policy_text(scn).text, s->replay->trace.store_buffer ? ", memory model tso" : "");
}

void story_verdict(const struct story *s, char *text, size_t size)
{
	const struct trace *t = &s->replay->trace;
	bool loop = t->loop_start < t->steps;

	snprintf(text, size, "%s%s", loop ? t->certain ? "certain " : "adversarial " : "", t->kind);
}

void story_set_text(json_t *o, const char *key, const char *text)
{
	json_t *j = json_string(text);

	json_object_set_new(o, key, j ? j : json_string("(not UTF-8)"));
}
