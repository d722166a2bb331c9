// SPDX-License-Identifier: MIT
/* Tarjan's components and the lasso through one. Layer: engine. */
#include "engine/explore/liveness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_STATE 0xFFFFFFFFu

struct lv {
	const struct lv_graph *g;
	u32 *index, *low; /* Tarjan; index 0 = not seen */
	u32 *component;   /* 1-based; 0 = none yet, or no unfinished lane */
	u32 *set;         /* part of the states that is being cut */
	u32 sets, found;
	u32 *stack, *work;
	u16 *next;     /* edge that a state on the work list looks at */
	u32 *distance; /* steps from the start */
	u32 *parent;   /* edge by which breadth-first search came, as state */
	u32 *parent_edge;
};

static u32 edge_to(const struct lv_graph *g, u32 state, u32 k)
{
	return g->edge[g->first[state] + k].to;
}

static bool is_cut(const struct lv_graph *g, const struct lv_edge *e)
{
	return g->filter && e->fiber == g->filter->lane && g->filter->cut[e->sites];
}

static bool is_hit(const struct lv_graph *g, const struct lv_edge *e)
{
	return g->filter && e->fiber == g->filter->lane && g->filter->hit[e->sites];
}

/* Those that get their turns. */
static u32 fair_fibers(const struct lv_graph *g)
{
	return ((1u << g->lanes) - 1) | g->flushes;
}

/* What the lanes can do inside a component. */
struct service {
	u32 moves;   /* lanes that take a step inside */
	u32 waits;   /* lanes that cannot move in some state of it */
	bool hit;    /* some step inside is one that is looked for */
	bool leaves; /* some edge goes elsewhere */
};

static struct service service_of(const struct lv *v, const u32 *members, u32 n)
{
	const struct lv_graph *g = v->g;
	struct service s = { 0 };

	for (u32 i = 0; i < n; i++) {
		u32 at = members[i];

		s.waits |= ~g->enabled[at];
		for (u32 k = 0; k < g->count[at]; k++) {
			const struct lv_edge *e = &g->edge[g->first[at] + k];

			if (v->component[e->to] != v->component[at] || is_cut(g, e)) {
				s.leaves = true;
				continue;
			}
			s.moves |= 1u << e->fiber;
			s.hit |= is_hit(g, e);
		}
	}
	return s;
}

/* Lanes that could have their lock in @state and never take it: locks are handed out in order. */
static bool is_overtaken(const struct lv_graph *g, u32 state, u32 moves)
{
	return g->locking[state] & g->enabled[state] & ~moves;
}

/* Breadth-first distances from the start; parents for the stem. */
static void distances(struct lv *v)
{
	const struct lv_graph *g = v->g;
	u32 head = 0, tail = 0;

	memset(v->distance, 0xFF, (size_t)g->states * sizeof(u32));
	v->distance[0] = 0;
	v->work[tail++] = 0;
	while (head < tail) {
		u32 s = v->work[head++];

		for (u32 k = 0; k < g->count[s]; k++) {
			u32 to = edge_to(g, s, k);

			if (v->distance[to] != NO_STATE)
				continue;
			v->distance[to] = v->distance[s] + 1;
			v->parent[to] = s;
			v->parent_edge[to] = k;
			v->work[tail++] = to;
		}
	}
}

struct best {
	u32 component, size, distance;
	bool certain;
};

/* States that are to be cut into components anew. */
struct part {
	struct part *next;
	u32 count;
	u32 state[];
};

/*
 * The component [members, members + n) is a livelock if every lane gets its turns in it: it moves
 * inside, or cannot move in some state (weak fairness). A lane that waits for a lock gets more: if the
 * lock is free again and again it has it some time (strong fairness), so the states in which it could
 * have it are no part of the loop. The rest may fall into components of its own: those are to be
 * looked at, too. A filter may want less, any loop, and more, a step of a kind in it. False without memory.
 */
static bool judge(struct lv *v, const u32 *members, u32 n, struct part **todo, struct best *best)
{
	const struct lv_graph *g = v->g;
	struct service s = service_of(v, members, n);
	bool fair = !g->filter || !g->filter->unfair;
	u32 near = NO_STATE, all = fair ? fair_fibers(g) : 0, left = 0;

	for (u32 i = 0; i < n; i++) {
		left += !fair || !is_overtaken(g, members[i], s.moves);
		if (v->distance[members[i]] < near)
			near = v->distance[members[i]];
	}
	if (left < n && left) {
		struct part *rest = malloc(sizeof(*rest) + left * sizeof(u32));

		if (!rest)
			return false;
		*rest = (struct part){ .next = *todo };
		for (u32 i = 0; i < n; i++)
			if (!is_overtaken(g, members[i], s.moves))
				rest->state[rest->count++] = members[i];
		*todo = rest;
	}
	if (left == n && s.moves && (s.hit || !g->filter) && ((s.moves | s.waits) & all) == all &&
	    near < best->distance)
		*best = (struct best){ .component = v->component[members[0]],
				       .size = n,
				       .distance = near,
				       .certain = !s.leaves };
	return true;
}

/* The components of @part, one after another to judge(). */
static bool cut(struct lv *v, const struct part *part, struct part **todo, struct best *best)
{
	const struct lv_graph *g = v->g;
	u32 depth = 0, top = 0, counter = 0, set = ++v->sets;
	bool good = true;

	for (u32 i = 0; i < part->count; i++) {
		v->set[part->state[i]] = set;
		v->index[part->state[i]] = v->component[part->state[i]] = 0;
		v->next[part->state[i]] = 0;
	}
	for (u32 r = 0; r < part->count && good; r++) {
		u32 root = part->state[r];

		if (v->index[root])
			continue;
		v->index[root] = v->low[root] = ++counter;
		v->stack[top++] = root;
		v->work[depth++] = root;
		while (depth) {
			u32 s = v->work[depth - 1];

			if (v->next[s] < g->count[s]) {
				const struct lv_edge *e = &g->edge[g->first[s] + v->next[s]++];
				u32 to = e->to;

				if (v->set[to] != set || is_cut(g, e))
					continue;
				if (!v->index[to]) {
					v->index[to] = v->low[to] = ++counter;
					v->stack[top++] = to;
					v->work[depth++] = to;
				} else if (!v->component[to] && v->index[to] < v->low[s]) {
					v->low[s] = v->index[to];
				}
				continue;
			}
			depth--;
			if (depth && v->low[s] < v->low[v->work[depth - 1]])
				v->low[v->work[depth - 1]] = v->low[s];
			if (v->low[s] == v->index[s]) {
				u32 bottom = top;

				v->found++;
				do
					v->component[v->stack[--bottom]] = v->found;
				while (v->stack[bottom] != s);
				good &= judge(v, v->stack + bottom, top - bottom, todo, best);
				top = bottom;
			}
		}
	}
	return good;
}

/* All components of unfinished states; remembers the violating one that is reached soonest. */
static bool components(struct lv *v, struct best *best)
{
	const struct lv_graph *g = v->g;
	struct part *todo = malloc(sizeof(*todo) + (size_t)g->states * sizeof(u32));
	bool good = todo != NULL;

	if (todo)
		*todo = (struct part){ 0 };
	for (u32 i = 0; todo && i < g->states; i++)
		if (g->unfinished[i])
			todo->state[todo->count++] = i;
	while (todo) {
		struct part *part = todo;

		todo = part->next;
		if (good)
			good = cut(v, part, &todo, best);
		free(part);
	}
	return good;
}

struct path {
	struct xs_step *step;
	u32 count, room;
};

static bool path_add(struct path *p, const struct lv_edge *e)
{
	if (p->count == p->room) {
		u32 room = p->room ? p->room * 2 : 256;
		struct xs_step *step = realloc(p->step, room * sizeof(*step));

		if (!step)
			return false;
		p->step = step;
		p->room = room;
	}
	p->step[p->count++] = (struct xs_step){ .fiber = e->fiber, .choice = e->choice };
	return true;
}

/* Appends the steps from the start to @state. */
static bool path_stem(const struct lv *v, u32 state, struct path *p)
{
	const struct lv_graph *g = v->g;
	u32 n = v->distance[state], at = p->count;

	for (u32 i = 0; i < n; i++)
		if (!path_add(p, &g->edge[0]))
			return false;
	for (; n--; state = v->parent[state]) {
		const struct lv_edge *e =
			&g->edge[g->first[v->parent[state]] + v->parent_edge[state]];

		p->step[at + n] = (struct xs_step){ .fiber = e->fiber, .choice = e->choice };
	}
	return true;
}

/* Where a walk inside a component is to end. */
struct goal {
	enum {
		GOAL_STATE, /* @which */
		GOAL_TURN,  /* an edge of fiber @which, or a state in which it cannot move */
		GOAL_HIT,   /* an edge that the filter looks for */
	} kind;
	u32 which;
};

static bool ends_at(const struct lv_graph *g, const struct goal *want, u32 state)
{
	switch (want->kind) {
	case GOAL_STATE:
		return state == want->which;
	case GOAL_TURN:
		return !(g->enabled[state] >> want->which & 1);
	case GOAL_HIT:
	default:
		return false;
	}
}

static bool ends_with(const struct lv_graph *g, const struct goal *want, const struct lv_edge *e)
{
	return want->kind == GOAL_TURN ? e->fiber == want->which
				       : want->kind == GOAL_HIT && is_hit(g, e);
}

/* Goes on inside @component from *state until @want. Breadth first, reusing index and low. */
static bool path_within(struct lv *v, u32 component, u32 *state, const struct goal *want,
			struct path *p)
{
	const struct lv_graph *g = v->g;
	u32 head = 0, tail = 0, goal = NO_STATE, goal_edge = NO_STATE, at;

	memset(v->index, 0xFF, (size_t)g->states * sizeof(u32));
	v->work[tail++] = *state;
	v->index[*state] = *state;
	while (head < tail && goal == NO_STATE) {
		u32 s = v->work[head++];

		if (ends_at(g, want, s)) {
			goal = s;
			break;
		}
		for (u32 k = 0; k < g->count[s]; k++) {
			const struct lv_edge *e = &g->edge[g->first[s] + k];

			if (v->component[e->to] != component || is_cut(g, e))
				continue;
			if (ends_with(g, want, e)) {
				goal = s;
				goal_edge = k;
				break;
			}
			if (v->index[e->to] != NO_STATE)
				continue;
			v->index[e->to] = s;
			v->low[e->to] = k;
			v->work[tail++] = e->to;
		}
	}
	if (goal == NO_STATE)
		return false;
	/* Backwards from the goal, then turned round. */
	at = p->count;
	for (u32 s = goal; s != *state; s = v->index[s])
		if (!path_add(p, &g->edge[g->first[v->index[s]] + v->low[s]]))
			return false;
	for (u32 i = at, k = p->count; i < k && i < --k; i++) {
		struct xs_step t = p->step[i];

		p->step[i] = p->step[k];
		p->step[k] = t;
	}
	*state = goal;
	if (goal_edge != NO_STATE) {
		if (!path_add(p, &g->edge[g->first[goal] + goal_edge]))
			return false;
		*state = edge_to(g, goal, goal_edge);
	}
	return true;
}

/* Stem, then a closed walk on which every lane has its turn. */
static int lasso(struct lv *v, const struct best *best, struct lv_result *out)
{
	const struct lv_graph *g = v->g;
	const struct goal hit = { .kind = GOAL_HIT };
	struct path p = { 0 };
	struct goal back;
	u32 home = 0, state, turns = g->filter && g->filter->unfair ? 0 : fair_fibers(g);

	while (v->component[home] != best->component || v->distance[home] != best->distance)
		home++;
	if (!path_stem(v, home, &p))
		goto fail;
	out->loop_start = p.count;
	state = home;
	if (g->filter && !path_within(v, best->component, &state, &hit, &p))
		goto fail;
	for (; turns; turns &= turns - 1) {
		struct goal turn = { .kind = GOAL_TURN, .which = (u32)__builtin_ctz(turns) };

		if (!path_within(v, best->component, &state, &turn, &p))
			goto fail;
	}
	/* A loop of one state's own edge is a loop too: then every lane's turn ends where it began. */
	back = (struct goal){ .kind = GOAL_STATE, .which = home };
	if (!path_within(v, best->component, &state, &back, &p))
		goto fail;
	out->step = p.step;
	out->steps = p.count;
	out->size = best->size;
	out->certain = best->certain;
	return 1;
fail:
	free(p.step);
	return -ENOMEM;
}

int lv_find(const struct lv_graph *g, struct lv_result *out)
{
	size_t n = (size_t)g->states * sizeof(u32);
	struct lv v = { .g = g,
			.index = calloc(1, n),
			.low = malloc(n),
			.component = calloc(1, n),
			.set = calloc(1, n),
			.stack = malloc(n),
			.work = malloc(n),
			.next = calloc(g->states, sizeof(u16)),
			.distance = malloc(n),
			.parent = malloc(n),
			.parent_edge = malloc(n) };
	struct best best = { .distance = NO_STATE };
	int rc = -ENOMEM;

	*out = (struct lv_result){ 0 };
	if (v.index && v.low && v.component && v.set && v.stack && v.work && v.next && v.distance &&
	    v.parent && v.parent_edge) {
		distances(&v);
		if (components(&v, &best))
			rc = best.component ? lasso(&v, &best, out) : 0;
	}
	free(v.index);
	free(v.low);
	free(v.component);
	free(v.set);
	free(v.stack);
	free(v.work);
	free(v.next);
	free(v.distance);
	free(v.parent);
	free(v.parent_edge);
	return rc;
}
