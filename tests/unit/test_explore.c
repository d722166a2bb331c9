// SPDX-License-Identifier: MIT
/* The explorer's parts: search, undo log, hash, fiber switch, livelocks. Built with both switches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/env.h"
#include "engine/explore/bounds.h"
#include "engine/explore/guests.h"
#include "engine/explore/knowledge.h"
#include "engine/explore/liveness.h"
#include "engine/explore/search.h"
#include "explore_prog.h"

static struct xs_result explore(const struct xs_program *p, const struct xs_options *o)
{
	struct xs_result r;

	assert_true(xs_open(p, o));
	assert_int_equal(xs_explore(p, o, &r), 0);
	xs_close(p);
	return r;
}

static struct xs_program program(u32 lanes, void (*lane)(u32))
{
	memset(&prog, 0, sizeof(prog));
	for (u32 i = 0; i < sizeof(prog.d.bytes); i++)
		prog.d.bytes[i] = (u8)(i * 37);
	return (struct xs_program){
		.arena = &prog, .arena_size = sizeof(prog), .lanes = lanes, .lane = lane
	};
}

/* ---- numbers of states ----------------------------------------------------------------------- */

/*
 * Two lanes, n additions each, every one seen. A lane has n + 2 places to stand: not started, in front
 * of each addition, ended. States with the same places differ in the order in which the additions
 * came, as each lane has seen the values that it found: C(i + j, i) of them after i and j additions.
 * Ended lanes forget, so that one state is left when both have; until then the other one's memory
 * tells the order. 0 additions go with two places.
 */
static u64 seen_states(u32 n)
{
	u64 c[16][16] = { { 0 } }, sum = 0;

	for (u32 i = 0; i <= n; i++)
		for (u32 j = 0; j <= n; j++) {
			c[i][j] = !i || !j ? 1 : c[i - 1][j] + c[i][j - 1];
			sum += c[i][j] * (i ? 1 : 2) * (j ? 1 : 2);
		}
	return sum - c[n][n] + 1;
}

static void test_counts(void **state)
{
	(void)state;
	for (u32 n = 1; n <= 6; n++)
		for (u64 seed = 0; seed < 3; seed++) {
			struct xs_options o = { .seed = seed, .no_reduction = true };
			struct xs_program p = program(2, prog_add);
			struct xs_result r;

			prog_increments = n;
			r = explore(&p, &o);
			assert_int_equal(r.kind, XS_KIND_NONE);
			assert_int_equal(r.limit, XS_COMPLETE);
			assert_int_equal(r.states, seen_states(n));
			xs_result_free(&r);
			/* The word is shared, and learned to be. */
			o.no_reduction = false;
			r = explore(&p, &o);
			assert_true(r.passes > 1);
			assert_int_equal(r.shared_words, 2);
			assert_int_equal(r.states, seen_states(n));
			xs_result_free(&r);
		}
}

/* However few states there are, and however many jobs. */
static void test_jobs(void **state)
{
	(void)state;
	for (u32 n = 1; n <= 6; n++)
		for (u32 jobs = 2; jobs <= 4; jobs++)
			for (u32 graph = 0; graph < 2; graph++) {
				struct xs_options o = { .jobs = jobs, .jobs_from = 1 };
				struct xs_program p = program(2, prog_add);
				struct xs_result r;

				prog_increments = n;
				p.must_finish = graph ? 3 : 0;
				r = explore(&p, &o);
				assert_int_equal(r.jobs, jobs);
				assert_int_equal(r.kind, XS_KIND_NONE);
				assert_int_equal(r.limit, XS_COMPLETE);
				assert_int_equal(r.shared_words, 2);
				assert_int_equal(r.states, seen_states(n));
				xs_result_free(&r);
			}
}

/* Two jobs know each this of one granule; does the search have to go on? */
static bool merge_learns(const struct xp_granule *a, const struct xp_granule *b)
{
	struct xs_options o = { 0 };
	struct xs_program p = program(2, prog_add);
	struct known known[2] = { { .granule = 1, .is = *a }, { .granule = 1, .is = *b } };
	struct knowledge k[2] = { { .known = &known[0], .count = 1 },
				  { .known = &known[1], .count = 1 } };
	const struct knowledge *const all[2] = { &k[0], &k[1] };
	bool learned;

	assert_true(xs_open(&p, &o));
	knowledge_merge(all, 2);
	learned = xp.learned;
	assert_int_equal(xp.granule[1].flags & a->flags, a->flags);
	assert_int_equal(xp.granule[1].touched_by, a->touched_by | b->touched_by);
	xs_close(&p);
	return learned;
}

/* What none of two has noticed, and one would have. */
static void test_merge(void **state)
{
	const struct xp_granule none = { 0 }, reads = { .read_by[1] = 1 },
				writes = { .written_by[1] = 2 }, same = { .written_by[1] = 1 },
				elsewhere = { .written_by[2] = 2 },
				earlier = { .pass = 9, .written_by[1] = 2 },
				constant = { .touched_by = 1 }, changes = { .flags = XP_WRITTEN },
				plain = { .flags = XP_WRITTEN | XP_PLAIN, .touched_by = 1 },
				atomic = { .flags = XP_WRITTEN, .touched_by = 2 },
				counts = { .written_by[1] = 1, .kind[1] = XP_WORD_SHAREX },
				decides = { .decides = 2, .written_by[1] = 1 };

	(void)state;
	assert_false(merge_learns(&none, &none));
	assert_true(merge_learns(&writes, &reads));
	assert_false(merge_learns(&same, &reads));
	assert_false(merge_learns(&elsewhere, &reads));
	assert_false(merge_learns(&earlier, &reads));
	assert_true(merge_learns(&changes, &constant));
	assert_false(merge_learns(&changes, &none));
	assert_true(merge_learns(&plain, &atomic));
	assert_false(merge_learns(&plain, &plain));
	assert_true(merge_learns(&decides, &counts));
	assert_false(merge_learns(&decides, &none));
}

/* What was known comes back, and nothing else. */
static void test_go_back(void **state)
{
	struct xs_options o = { 0 };
	struct xs_program p = program(2, prog_add);
	struct xs_word word = { .addr = (const char *)p.arena + 16,
				.size = 2,
				.kind = XP_WORD_SHAREX };
	struct known known[4];
	struct knowledge k = { .known = known };

	(void)state;
	p.word = &word;
	p.word_count = 1;
	assert_true(xs_open(&p, &o));
	xp.granule[1].touched_by = 3;
	xp.spins = 1;
	assert_int_equal(knowledge_size(), 1);
	assert_false(knowledge_collect(&k, 0));
	assert_true(knowledge_collect(&k, 4));
	xp.granule[1].flags = XP_WRITTEN;
	xp.granule[2].touched_by = 1;
	xp.granule[2].decides = 1;
	xp_share(&xp.granule[3], 1);
	xp.granule[3].touched_by = 1;
	xp.spins = 7;
	xs_forget(&p, &o);
	knowledge_restore(&k);
	assert_int_equal(xp.granule[1].flags, 0);
	assert_int_equal(xp.granule[1].touched_by, 3);
	assert_int_equal(xp.granule[2].touched_by | xp.granule[2].decides, 0);
	assert_int_equal(xp.granule[2].kind[0], XP_WORD_SHAREX);
	assert_int_equal(xp.granule[3].shared | xp.granule[3].touched_by, 0);
	assert_int_equal(xp.shared_count, 0);
	assert_int_equal(xp.spins, 1);
	assert_false(xp.learned);
	xs_close(&p);
}

static u64 guest_states(u32 n, void (*lane)(u32), void (*guest)(void *), bool exact)
{
	struct xs_options o = { .no_reduction = true, .exact = exact };
	struct xs_program p = program(2, lane);
	struct xs_result r;

	for (u32 i = 0; i < 2; i++)
		assert_int_equal(xp_guest_make(4096, guest, &prog.d.word[1 + i]), i);
	prog_increments = n;
	r = explore(&p, &o);
	assert_int_equal(r.kind, XS_KIND_NONE);
	assert_int_equal(r.limit, XS_COMPLETE);
	xs_result_free(&r);
	return r.states;
}

/*
 * Additions as above, by guests that leave after each: what was seen is remembered by those who stand by
 * themselves, and for good. A lane remembers what it has seen itself, in its guest and behind it.
 */
static void test_guests(void **state)
{
	(void)state;
	for (u32 n = 1; n <= 6; n++) {
		u64 c[16][16] = { { 0 } }, by_guests = 0, by_lanes = 1;

		for (u32 i = 0; i <= n; i++)
			for (u32 j = 0; j <= n; j++) {
				c[i][j] = !i || !j ? 1 : c[i - 1][j] + c[i][j - 1];
				by_guests += c[i][j] * (i ? 1 : 2) * (j ? 1 : 2);
				/* Behind the last it is in its guest, has left it, or has ended. */
				by_lanes += c[i][j] *
					    (i == n ? 3
					     : i    ? 1
						    : 2) *
					    (j == n ? 3
					     : j    ? 1
						    : 2);
			}
		by_lanes -= c[n][n];
		for (u32 exact = 0; exact < 2; exact++) {
			assert_int_equal(guest_states(n, prog_guest_adds, prog_adding_guest, exact),
					 by_guests);
			assert_int_equal(guest_states(n, prog_add_and_enter, prog_private_guest,
						      exact),
					 by_lanes);
		}
	}
}

/* Words of one lane each: a grid without reduction, two steps with it. */
static void test_private_words(void **state)
{
	struct xs_options o = { .no_reduction = true };
	struct xs_program p = program(2, prog_private);
	struct xs_result r;

	(void)state;
	prog_increments = 5;
	r = explore(&p, &o);
	assert_int_equal(r.states, 7 * 7);
	assert_int_equal(r.transitions, 2 * 6 * 7);
	xs_result_free(&r);
	o.no_reduction = false;
	r = explore(&p, &o);
	assert_int_equal(r.states, 4);
	assert_int_equal(r.shared_words, 0);
	xs_result_free(&r);
}

/* A counter that nobody looks at needs no scheduling point, however many lanes count. */
static void test_counter(void **state)
{
	const struct xs_word word = { .addr = &prog.d.word[0], .kind = XP_WORD_COUNTER, .size = 4 };
	struct xs_options o = { .races = true };
	struct xs_program p = program(3, prog_add);
	struct xs_result r;

	(void)state;
	p.word = &word;
	p.word_count = 1;
	prog_increments = 3;
	r = explore(&p, &o);
	assert_int_equal(r.kind, XS_KIND_NONE);
	assert_int_equal(r.states, 8);
	assert_int_equal(r.shared_words, 0);
	xs_result_free(&r);
}

/* ---- undo and hash --------------------------------------------------------------------------- */

static u64 full_hash(void)
{
	u64 hash = 0;

	for (u32 g = 0; g < xp.arena_size / 8; g++)
		hash += xp_granule_hash(g, *xp_granule(g));
	return hash;
}

static u32 looks;

static const char *compare_hashes(void)
{
	looks++;
	return xp.hash == full_hash() - xp.hash_start ? NULL : "hash";
}

static void test_undo_and_hash(void **state)
{
	static union prog_arena before;
	void (*const lane[])(u32) = { prog_add, prog_private, prog_plain };

	(void)state;
	prog_increments = 4;
	for (u32 i = 0; i < ARRAY_SIZE(lane); i++)
		for (u32 k = 0; k < 4; k++) {
			struct xs_options o = { .seed = k, .no_reduction = k & 1, .races = true };
			struct xs_program p = program(2, lane[i]);
			struct xs_result r;

			p.invariant = compare_hashes;
			before = prog;
			looks = 0;
			r = explore(&p, &o);
			assert_int_equal(r.kind, XS_KIND_NONE);
			/* After every step, so that every way back was taken right, too. */
			assert_true(looks >= r.transitions);
			assert_memory_equal(&before, &prog, sizeof(prog));
			xs_result_free(&r);
		}
}

static const char *never_three(void)
{
	return prog.d.word[0] == 3 ? "three" : NULL;
}

/* A broken invariant is found, with the shortest way to it, and can be played again. */
static void test_invariant(void **state)
{
	const struct xs_watch nobody = { 0 };
	struct xs_options o = { .no_reduction = true, .minimise_seconds = 10 };
	struct xs_program p = program(2, prog_add);
	struct xs_result r;

	(void)state;
	p.invariant = never_three;
	prog_increments = 2;
	assert_true(xs_open(&p, &o));
	assert_int_equal(xs_explore(&p, &o, &r), 0);
	assert_int_equal(r.kind, SL_VIOLATION_ORACLE);
	assert_string_equal(r.id, "three");
	/* Two starts, three additions. */
	assert_int_equal(r.steps, 5);
	assert_true(r.minimal);
	assert_int_equal(prog.d.word[0], 0);
	assert_int_equal(xs_replay(&p, &o, r.step, r.steps, &nobody), r.steps);
	assert_true(xp.violated);
	assert_string_equal(xp.violation_id, "three");
	assert_int_equal(prog.d.word[0], 0);
	xs_result_free(&r);
	xs_close(&p);
}

/* ---- livelocks on graphs made by hand -------------------------------------------------------- */

struct hand {
	struct lv_edge edge[32];
	u64 first[8];
	u16 count[8];
	u8 unfinished[8];
	u32 enabled[8];
	u16 locking[8];
	u32 edges;
	struct lv_graph g;
};

static void hand_init(struct hand *h, u32 states, u32 lanes)
{
	*h = (struct hand){ 0 };
	h->g = (struct lv_graph){ .states = states,
				  .lanes = lanes,
				  .edge = h->edge,
				  .first = h->first,
				  .count = h->count,
				  .unfinished = h->unfinished,
				  .enabled = h->enabled,
				  .locking = h->locking };
	for (u32 i = 0; i < states; i++)
		h->unfinished[i] = 1;
}

/* Edges of a state one behind the other. */
static void hand_edge(struct hand *h, u32 from, u32 to, u8 lane)
{
	if (!h->count[from]++)
		h->first[from] = h->edges;
	h->edge[h->edges++] = (struct lv_edge){ .to = to, .fiber = lane };
	h->enabled[from] |= 1u << lane;
}

/* Follows the lasso: it starts at 0, its edges are there, its loop closes, all lanes have turns. */
static void check_lasso(const struct hand *h, const struct lv_result *r)
{
	u32 at = 0, home = 0, served = 0;

	for (u32 i = 0; i < r->steps; i++) {
		u32 k = 0;

		if (i == r->loop_start)
			home = at;
		if (i >= r->loop_start)
			served |= 1u << r->step[i].fiber | ~h->enabled[at];
		while (k < h->count[at] && h->edge[h->first[at] + k].fiber != r->step[i].fiber)
			k++;
		assert_true(k < h->count[at]);
		at = h->edge[h->first[at] + k].to;
	}
	assert_int_equal(at, home);
	assert_int_equal(served & ((1u << h->g.lanes) - 1), (1u << h->g.lanes) - 1);
}

/* One lane that spins in one state: its own edge is a loop. */
static void test_self_loop(void **state)
{
	struct lv_result r;
	struct hand h;

	(void)state;
	hand_init(&h, 2, 1);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 1, 1, 0);
	assert_int_equal(lv_find(&h.g, &r), 1);
	assert_true(r.certain);
	assert_int_equal(r.size, 1);
	assert_int_equal(r.loop_start, 1);
	check_lasso(&h, &r);
	free(r.step);
	/* A state without an edge of its own is no loop. */
	hand_init(&h, 2, 1);
	hand_edge(&h, 0, 1, 0);
	assert_int_equal(lv_find(&h.g, &r), 0);
}

/* Who could move in every state of the loop and never does is not treated fairly. */
static void test_fairness(void **state)
{
	struct lv_result r;
	struct hand h;

	(void)state;
	/* Lane 0 goes round 0 and 1; lane 1 could end it in both. */
	hand_init(&h, 3, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 0, 2, 1);
	hand_edge(&h, 1, 0, 0);
	hand_edge(&h, 1, 2, 1);
	h.unfinished[2] = 0;
	assert_int_equal(lv_find(&h.g, &r), 0);
	/* It is the edges that count: lane 1 takes one of its own inside the loop. */
	hand_init(&h, 3, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 0, 0, 1);
	hand_edge(&h, 1, 0, 0);
	hand_edge(&h, 1, 2, 1);
	h.unfinished[2] = 0;
	assert_int_equal(lv_find(&h.g, &r), 1);
	assert_false(r.certain);
	check_lasso(&h, &r);
	free(r.step);
	/* Or it waits in one of the states. */
	hand_init(&h, 3, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 0, 2, 1);
	hand_edge(&h, 1, 0, 0);
	h.unfinished[2] = 0;
	assert_int_equal(lv_find(&h.g, &r), 1);
	assert_false(r.certain);
	check_lasso(&h, &r);
	free(r.step);
}

/* A lane whose lock is free again and again gets it: what is left without those states counts. */
static void test_locks_are_fair(void **state)
{
	struct lv_result r;
	struct hand h;

	(void)state;
	/* Lane 0 takes a lock and gives it back for ever; lane 1 could have it in state 0. */
	hand_init(&h, 3, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 0, 2, 1);
	hand_edge(&h, 1, 0, 0);
	h.unfinished[2] = 0;
	h.locking[0] = h.locking[1] = 1u << 1;
	assert_int_equal(lv_find(&h.g, &r), 0);
	/* Once lane 0 can go round without giving it back lane 1 waits for ever. */
	hand_init(&h, 4, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 0, 2, 1);
	hand_edge(&h, 1, 0, 0);
	hand_edge(&h, 1, 3, 0);
	hand_edge(&h, 3, 1, 0);
	h.unfinished[2] = 0;
	h.locking[0] = h.locking[1] = h.locking[3] = 1u << 1;
	assert_int_equal(lv_find(&h.g, &r), 1);
	assert_int_equal(r.size, 2);
	assert_false(r.certain);
	check_lasso(&h, &r);
	free(r.step);
}

static void test_certain(void **state)
{
	struct lv_result r;
	struct hand h;

	(void)state;
	/* Two lanes that pass a turn round; the way out of 0 leads into the loop of 1 and 2 only. */
	hand_init(&h, 4, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 0, 3, 1);
	hand_edge(&h, 1, 2, 0);
	hand_edge(&h, 1, 1, 1);
	hand_edge(&h, 2, 1, 1);
	h.unfinished[3] = 0;
	assert_int_equal(lv_find(&h.g, &r), 1);
	assert_true(r.certain);
	assert_int_equal(r.size, 2);
	check_lasso(&h, &r);
	free(r.step);
	/* With a way out it is up to the schedule. */
	hand_init(&h, 4, 2);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 1, 2, 0);
	hand_edge(&h, 1, 1, 1);
	hand_edge(&h, 2, 1, 1);
	hand_edge(&h, 2, 3, 0);
	h.unfinished[3] = 0;
	assert_int_equal(lv_find(&h.g, &r), 1);
	assert_false(r.certain);
	check_lasso(&h, &r);
	free(r.step);
}

/* Loops after everybody has finished, or of nobody, are none. */
static void test_vacuous(void **state)
{
	struct lv_result r;
	struct hand h;

	(void)state;
	hand_init(&h, 2, 1);
	hand_edge(&h, 0, 1, 0);
	hand_edge(&h, 1, 1, 0);
	h.unfinished[1] = 0;
	assert_int_equal(lv_find(&h.g, &r), 0);
	assert_null(r.step);
	hand_init(&h, 1, 1);
	assert_int_equal(lv_find(&h.g, &r), 0);
}

/* ---- bounds on graphs made by hand ------------------------------------------------------------ */

#define SITE 3u

/* The code of a step with these notes at the site. */
static u8 sites(struct bounds *b, const char *notes)
{
	s32 code;

	for (xp.site_event_count = 0; *notes; notes++)
		xp.site_event[xp.site_event_count++] = (struct xp_site_event){
			.site = SITE,
			.note = *notes == 'B'   ? SL_NOTE_BUSY
				: *notes == 'V' ? SL_NOTE_VISIT
						: SL_NOTE_THROUGH,
		};
	code = bounds_code(b);
	assert_true(code >= 0);
	return (u8)code;
}

static void noted_edge(struct hand *h, struct bounds *b, u32 from, u32 to, u8 lane,
		       const char *notes)
{
	hand_edge(h, from, to, lane);
	h->edge[h->edges - 1].sites = sites(b, notes);
}

static void check_bound(const struct hand *h, const struct bounds *b, enum xs_measure m,
			enum xs_endless endless, u32 most)
{
	struct xs_bound bound[SL_SITE_MAX][XS_MEASURES] = { 0 };

	xp.busy_sites = 1ull << SITE;
	assert_int_equal(bounds_find(b, &h->g, bound), 0);
	assert_int_equal(bound[SITE][m].endless, endless);
	if (endless == XS_FINITE)
		assert_int_equal(bound[SITE][m].most, most);
	assert_int_equal(bound[SITE + 1][m].most, 0);
}

/* The longest way counts, ends start anew, lanes count for themselves. */
static void test_bounds_add_up(void **state)
{
	struct bounds *b = bounds_new();
	struct hand h;

	(void)state;
	/* 0 -> 1 -> 3 with two BUSY, 0 -> 2 -> 3 with one, then one more; lane 1's is none of lane 0's. */
	hand_init(&h, 6, 2);
	noted_edge(&h, b, 0, 1, 0, "B");
	noted_edge(&h, b, 0, 2, 1, "B");
	noted_edge(&h, b, 1, 3, 0, "B");
	noted_edge(&h, b, 2, 3, 0, "");
	noted_edge(&h, b, 3, 4, 0, "B");
	/* The visit is given up and made anew; what comes through ends the row. */
	noted_edge(&h, b, 4, 5, 0, "VB");
	check_bound(&h, b, XS_VISIT, XS_FINITE, 3);
	check_bound(&h, b, XS_ROW, XS_FINITE, 4);
	/* Within one step too: the largest is between two ends. */
	bounds_begin(b);
	hand_init(&h, 3, 1);
	noted_edge(&h, b, 0, 1, 0, "BTBBTB");
	noted_edge(&h, b, 1, 2, 0, "T");
	check_bound(&h, b, XS_ROW, XS_FINITE, 2);
	/* A step that ends its path has no edge and counts as well. */
	assert_true(bounds_keep_last(b, 0, 0, sites(b, "BBBBB")));
	check_bound(&h, b, XS_ROW, XS_FINITE, 5);
	bounds_free(b);
}

static void check_cycle(const struct hand *h, const struct bounds *b, enum xs_measure m,
			enum xs_endless how, u32 loop)
{
	struct lv_result r;

	assert_int_equal(bounds_cycle(b, &h->g, SITE, m, how, &r), 1);
	assert_int_equal(r.steps - r.loop_start, loop);
	free(r.step);
}

/* A loop with a BUSY and no end has no largest number; one with an end has. */
static void test_bounds_loops(void **state)
{
	struct bounds *b = bounds_new();
	struct hand h;

	(void)state;
	hand_init(&h, 3, 1);
	noted_edge(&h, b, 0, 1, 0, "");
	noted_edge(&h, b, 1, 2, 0, "B");
	noted_edge(&h, b, 2, 1, 0, "V");
	check_bound(&h, b, XS_VISIT, XS_FINITE, 1);
	check_bound(&h, b, XS_ROW, XS_ENDLESS, 0);
	check_cycle(&h, b, XS_ROW, XS_ENDLESS, 2);
	/* Loops that add nothing do not keep numbers growing. */
	bounds_begin(b);
	hand_init(&h, 4, 1);
	noted_edge(&h, b, 0, 1, 0, "B");
	noted_edge(&h, b, 1, 2, 0, "");
	noted_edge(&h, b, 2, 1, 0, "");
	noted_edge(&h, b, 2, 3, 0, "B");
	check_bound(&h, b, XS_ROW, XS_FINITE, 2);
	/* Lane 1 could move in the whole loop: no fair one. */
	bounds_begin(b);
	hand_init(&h, 3, 2);
	noted_edge(&h, b, 0, 1, 0, "B");
	noted_edge(&h, b, 0, 2, 1, "");
	noted_edge(&h, b, 1, 0, 0, "");
	noted_edge(&h, b, 1, 2, 1, "");
	check_bound(&h, b, XS_ROW, XS_UNFAIR, 0);
	check_cycle(&h, b, XS_ROW, XS_UNFAIR, 2);
	/* Unless it has a turn of its own in it. */
	bounds_begin(b);
	hand_init(&h, 3, 2);
	noted_edge(&h, b, 0, 1, 0, "B");
	noted_edge(&h, b, 0, 0, 1, "");
	noted_edge(&h, b, 1, 0, 0, "");
	noted_edge(&h, b, 1, 2, 1, "");
	check_bound(&h, b, XS_ROW, XS_ENDLESS, 0);
	check_cycle(&h, b, XS_ROW, XS_ENDLESS, 3);
	bounds_free(b);
}

/* There is an end to the kinds of steps that can be told apart, and it is said. */
static void test_bounds_codes(void **state)
{
	struct bounds *b = bounds_new();
	char notes[] = "BBBBBBBB";
	u32 last = 0;

	(void)state;
	assert_int_equal(sites(b, ""), 0);
	for (u32 i = 0; i < 255; i++) {
		for (u32 bit = 0; bit < 8; bit++)
			notes[bit] = i >> bit & 1 ? 'B' : 'T';
		assert_int_equal(sites(b, notes), ++last);
	}
	assert_int_equal(sites(b, notes), last);
	xp.site_event[0].site = SITE + 1;
	assert_int_equal(bounds_code(b), -1);
	xp.site_event_count = XP_SITE_EVENTS_MAX + 1;
	assert_int_equal(bounds_code(b), -1);
	xp.site_event_count = 0;
	bounds_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),        cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_merge),         cmocka_unit_test(test_go_back),
		cmocka_unit_test(test_private_words), cmocka_unit_test(test_counter),
		cmocka_unit_test(test_undo_and_hash), cmocka_unit_test(test_invariant),
		cmocka_unit_test(test_self_loop),     cmocka_unit_test(test_bounds_add_up),
		cmocka_unit_test(test_bounds_loops),  cmocka_unit_test(test_bounds_codes),
		cmocka_unit_test(test_fairness),      cmocka_unit_test(test_locks_are_fair),
		cmocka_unit_test(test_certain),       cmocka_unit_test(test_vacuous),
		cmocka_unit_test(test_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
