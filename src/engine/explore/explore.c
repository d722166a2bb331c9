// SPDX-License-Identifier: MIT
/* From a scenario to a search and back to words. Layer: engine. */
#include "engine/explore/explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "engine/explore/xenv.h"
#include "engine/explore/xworld.h"

/* The world that the fibers run in. The search calls back without an argument. */
static struct {
	struct world *world;
	struct sl_env env[XP_FIBERS_MAX];
	u32 lanes;
	struct sl_stats *stats;
} running;

/* For the instrumented side, whose lock library reports misuse without saying where. */
struct sl_env *xworld_current_env(void);
struct sl_env *xworld_current_env(void)
{
	return &running.env[xp.active ? xp.cur : running.lanes];
}

static void run_lane(u32 lane)
{
	xworld_run_lane(running.world, lane);
}

static void run_end(void)
{
	xworld_finish(running.world, &running.env[running.lanes]);
}

/* ---- the trace in words ---------------------------------------------------------------------- */

static const char *const atomic_name[] = { "load", "store", "xchg", "add", "sub",
					   "and",  "or",    "xor",  "nand", "cas" };

struct recorder {
	struct explore_result *out;
	u32 room;
};

static struct explore_row *new_row(struct recorder *rec, u32 index, const struct xs_step *step)
{
	struct explore_result *out = rec->out;

	if (out->rows == rec->room) {
		rec->room = rec->room ? rec->room * 2 : 256;
		out->row = realloc(out->row, rec->room * sizeof(*out->row));
		SL_BUG_ON(!out->row);
	}
	out->row[out->rows] = (struct explore_row){ .step = index + 1, .lane = step->fiber };
	return &out->row[out->rows++];
}

static void row_call(struct explore_row *row, const struct xp_event *e)
{
	bool seam = e->note == SL_NOTE_SEAMCALL;
	u32 leaf = (u32)(e->before & 0xFFFF);
	const char *name = seam ? tdx_seamcall_name(leaf) : tdx_tdcall_name(leaf);
	const char *status = tdx_status_name(e->after);
	const char *operand = tdx_operand_name((u32)e->after);

	row->call = true;
	snprintf(row->object, sizeof(row->object), "%s", name ? name : "unknown leaf");
	if (seam && leaf == SEAMCALL_tdh_vp_enter && !(e->after >> 32))
		snprintf(row->what, sizeof(row->what), "TD exit %u", (u32)(e->after & 0xFFFF));
	else if ((u32)e->after && operand)
		snprintf(row->what, sizeof(row->what), "%s(%s)", status ? status : "?", operand);
	else
		snprintf(row->what, sizeof(row->what), "%s", status ? status : "?");
}

static void record(void *ctx, u32 index, const struct xs_step *step)
{
	struct recorder *rec = ctx;

	for (u32 i = 0; i < xp.event_count; i++) {
		const struct xp_event *e = &xp.event[i];
		struct explore_row *row;

		if (e->kind == XP_EVENT_NOTE) {
			if (e->note != SL_NOTE_SEAMCALL && e->note != SL_NOTE_TDCALL)
				continue;
			row_call(new_row(rec, index, step), e);
			continue;
		}
		/* Only the words that lanes meet on. */
		if (!xs_word_is_shared(e->addr))
			continue;
		row = new_row(rec, index, step);
		row->pc = e->pc;
		xworld_describe(running.world, e->addr, row->object, sizeof(row->object));
		if (!row->object[0])
			snprintf(row->object, sizeof(row->object), "arena+0x%zx",
				 (size_t)((u8 *)e->addr - xp.arena));
		if (e->before == e->after)
			snprintf(row->what, sizeof(row->what), "%s 0x%llx", atomic_name[e->op],
				 (unsigned long long)e->after);
		else
			snprintf(row->what, sizeof(row->what), "%s 0x%llx -> 0x%llx",
				 atomic_name[e->op], (unsigned long long)e->before,
				 (unsigned long long)e->after);
	}
}

/* ---- the search ------------------------------------------------------------------------------ */

static u32 finite_lanes(const struct scenario *s)
{
	u32 mask = 0, lane = 0;

	for (u32 t = 0; t < s->td_count; t++)
		for (u32 v = 0; v < s->td[t].vcpus; v++, lane++) {
			bool endless = false;

			for (u32 i = 0; i < s->td[t].vcpu[v].count; i++)
				endless |= s->td[t].vcpu[v].ops[i].code == GUEST_LOOP &&
					   s->td[t].vcpu[v].ops[i].times == GUEST_FOREVER;
			if (!endless)
				mask |= 1u << lane;
		}
	for (u32 h = 0; h < s->host_count; h++, lane++) {
		bool endless = false;

		for (u32 i = 0; i < s->host[h].count; i++)
			endless |= s->host[h].ops[i].code == SCN_HOST_LOOP &&
				   s->host[h].ops[i].times == GUEST_FOREVER;
		if (!endless)
			mask |= 1u << lane;
	}
	return mask;
}

struct word_list {
	struct xs_word *word;
	u32 count, room;
};

static void add_word(void *ctx, const void *addr, u8 kind, u8 size)
{
	struct word_list *l = ctx;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 1024;
		l->word = realloc(l->word, l->room * sizeof(*l->word));
		SL_BUG_ON(!l->word);
	}
	l->word[l->count++] = (struct xs_word){ .addr = addr, .kind = kind, .size = size };
}

static int explore_arena(const struct scenario *s, const struct xs_options *o, void *arena,
			 size_t size, struct explore_result *out, struct sl_err *err)
{
	struct xs_program p = { .arena = arena, .arena_size = size, .lanes = running.lanes,
				.lane = run_lane, .end = run_end };
	struct recorder rec = { .out = out };
	struct word_list words = { 0 };
	int rc;

	for (u32 i = 0; i <= running.lanes; i++)
		xenv_init(&running.env[i], out->stats);
	running.world = xworld_build(s, arena, size, running.env, err);
	if (!running.world)
		return -EINVAL;
	if (s->all_finish)
		p.must_finish = finite_lanes(s);
	for (u32 i = 0; i <= running.lanes; i++)
		xworld_lane_name(running.world, i, out->lane_name[i], sizeof(out->lane_name[i]));
	xworld_words(running.world, add_word, &words);
	p.word = words.word;
	p.word_count = words.count;
	rc = xs_open(&p, o) ? xs_explore(&p, o, &out->search) : -ENOMEM;
	if (!rc && out->search.kind != XS_KIND_NONE)
		xs_replay(&p, o, out->search.step, out->search.steps, record, &rec);
	xs_close(&p);
	free(words.word);
	return rc ? sl_err_set(err, rc, "%s: no memory for the search", s->path) : 0;
}

int explore_scenario(const struct scenario *s, const struct xs_options *o,
		     struct explore_result *out, struct sl_err *err)
{
	size_t size;
	void *arena;
	int rc;

	*out = (struct explore_result){ 0 };
	running.lanes = out->lanes = xworld_lanes(s);
	if (out->lanes > XP_LANES_MAX)
		return sl_err_set(err, -EINVAL, "%s: found %u lanes; the explorer takes %u",
				  s->path, out->lanes, XP_LANES_MAX);
	rc = xworld_arena_size(s, &size, err);
	if (rc)
		return rc;
	arena = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	out->stats = calloc(1, sizeof(*out->stats));
	if (arena == MAP_FAILED || !out->stats) {
		free(out->stats);
		out->stats = NULL;
		return sl_err_set(err, -ENOMEM, "%s: no memory for a world of %zu bytes", s->path,
				  size);
	}
	rc = explore_arena(s, o, arena, size, out, err);
	munmap(arena, size);
	if (rc)
		explore_free(out);
	return rc;
}

void explore_free(struct explore_result *r)
{
	xs_result_free(&r->search);
	free(r->row);
	free(r->stats);
	*r = (struct explore_result){ 0 };
}
