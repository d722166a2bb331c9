// SPDX-License-Identifier: MIT
/* Searches to bytes and back. Layer: engine. */
#include "engine/explore/save.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/clock.h"
#include "engine/explore/path.h"

/* Behind everything else. */
#define END 0x6465766173ull

/* In front. */
struct head {
	double seconds;
	u64 memory;
	bool in_pass; /* behind what is common comes a pass */
};

/* Of a counterexample; its steps come behind it. */
struct finding {
	u32 kind, steps, loop_start, preemptions;
	char id[40], text[320];
};

struct common {
	u32 passes, shared_count, spins, limit;
	u16 pass_number;
	bool alone, found;
	u64 busy_sites, all_states, all_transitions, known, tally_size;
	struct finding finding, spare;
};

struct pass_head {
	bool several, buffer_full;
	u32 depth, paths;
	u64 states, transitions, edges;
};

static void put(const struct xs_keeper *k, const void *bytes, size_t size)
{
	if (size)
		k->put(k->ctx, bytes, size);
}

/* ---- numbers that are mostly small ----------------------------------------------------------- */

struct packer {
	const struct xs_keeper *to;
	u32 used;
	u8 bytes[1u << 14];
};

static void flush(struct packer *p)
{
	put(p->to, p->bytes, p->used);
	p->used = 0;
}

static void pack(struct packer *p, u64 v)
{
	if (p->used + 10 > sizeof(p->bytes))
		flush(p);
	for (; v > 0x7F; v >>= 7)
		p->bytes[p->used++] = (u8)(v | 0x80);
	p->bytes[p->used++] = (u8)v;
}

static bool unpack(const struct xs_source *from, u64 *v)
{
	u8 byte;

	*v = 0;
	for (u32 shift = 0; shift < 64; shift += 7) {
		if (!from->get(from->ctx, &byte, 1))
			return false;
		*v |= (u64)(byte & 0x7F) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_steps(const struct xs_keeper *k, const struct finding *f,
		      const struct xs_step *step)
{
	put(k, step, f->steps * sizeof(*step));
}

static struct finding finding_of(const struct xs_result *r)
{
	struct finding f;

	/* Padding, too, is written. */
	memset(&f, 0, sizeof(f));
	f.kind = r->step ? r->kind : XS_KIND_NONE;
	if (f.kind == XS_KIND_NONE)
		return f;
	f.steps = r->steps;
	f.loop_start = r->loop_start;
	f.preemptions = r->preemptions;
	snprintf(f.id, sizeof(f.id), "%s", r->id);
	snprintf(f.text, sizeof(f.text), "%s", r->text);
	return f;
}

static void put_common(const struct search *s, const struct xs_keeper *k, const void *tally)
{
	const struct xs_result *r = s->r;
	struct knowledge known = { .count = knowledge_size() };
	struct common c;

	known.known = calloc(known.count + 1, sizeof(*known.known));
	SL_BUG_ON(!known.known || !knowledge_collect(&known, known.count));
	memset(&c, 0, sizeof(c));
	c.passes = r->passes;
	c.shared_count = xp.shared_count;
	c.spins = xp.spins;
	c.limit = r->limit;
	c.pass_number = xp.pass;
	c.alone = s->alone;
	c.found = s->found;
	c.busy_sites = xp.busy_sites;
	c.all_states = r->all_states;
	c.all_transitions = r->all_transitions;
	c.known = known.count;
	c.tally_size = s->p->tally_size;
	c.finding = finding_of(r);
	c.spare = finding_of(&s->spare);
	put(k, &c, sizeof(c));
	put_steps(k, &c.finding, r->step);
	put_steps(k, &c.spare, s->spare.step);
	put(k, known.known, known.count * sizeof(*known.known));
	put(k, tally, c.tally_size);
	free(known.known);
}

/* In the order of slots keys are nearly sorted: their differences take fewer bytes. */
static void put_visited(const struct search *s, const struct xs_keeper *k, u64 count)
{
	const struct visited *v = &s->visited;
	struct packer p = { .to = k };
	u64 last = 0, n = 0;

	for (s64 slot = 0; (slot = visited_next(v, (u64)slot)) >= 0; slot++, n++) {
		s64 more = (s64)(v->key[slot] - last);

		pack(&p, (u64)more << 1 ^ (u64)(more >> 63));
		if (v->value)
			pack(&p, v->value[slot]);
		last = v->key[slot];
	}
	flush(&p);
	SL_BUG_ON(n != count);
}

static void put_graph(const struct search *s, const struct xs_keeper *k, const struct save_pass *p)
{
	put(k, s->edge, p->edges * sizeof(*s->edge));
	put(k, s->edge_first, p->states * sizeof(*s->edge_first));
	put(k, s->edge_n, p->states * sizeof(*s->edge_n));
	put(k, s->unfinished, p->states * sizeof(*s->unfinished));
	put(k, s->enabled, p->states * sizeof(*s->enabled));
	put(k, s->locking, p->states * sizeof(*s->locking));
}

static size_t size_of_path(const struct path_head *h)
{
	return sizeof(*h) + h->frames * sizeof(struct path_frame) +
	       h->succs * sizeof(struct path_succ);
}

static void put_pass(const struct search *s, const struct xs_keeper *k, const struct save_pass *p)
{
	struct pass_head h;

	memset(&h, 0, sizeof(h));
	h.several = p->several;
	h.buffer_full = p->buffer_full;
	h.depth = p->depth;
	h.paths = p->paths;
	h.states = p->states;
	h.transitions = p->transitions;
	h.edges = p->edges;
	put(k, &h, sizeof(h));
	put_visited(s, k, p->states);
	if (s->graph)
		put_graph(s, k, p);
	if (s->bounds)
		bounds_save(s->bounds, k);
	for (u32 i = 0; i < p->paths; i++) {
		u64 size = size_of_path(p->path[i]);

		put(k, &size, sizeof(size));
		put(k, p->path[i], size);
	}
}

/* A keeper in memory. */
struct store {
	u8 *data;
	size_t used, room;
};

static void store_put(void *ctx, const void *bytes, size_t size)
{
	struct store *m = ctx;

	if (m->room - m->used < size) {
		m->room = (m->room + size) * 2;
		m->data = realloc(m->data, m->room);
		SL_BUG_ON(!m->data);
	}
	memcpy(m->data + m->used, bytes, size);
	m->used += size;
}

void save_pass_begins(struct search *s)
{
	struct store m = { .data = s->pass_start, .room = s->pass_start_room };

	put_common(s, &(struct xs_keeper){ .put = store_put, .ctx = &m }, s->p->tally);
	s->pass_start = m.data;
	s->pass_start_room = m.room;
	s->pass_start_size = m.used;
}

bool save_is_due(const struct search *s)
{
	return clock_seconds() >= s->save_at;
}

void save_write(struct search *s, const struct save_pass *pass)
{
	const struct xs_keeper *k = s->keeper;
	const u64 end = END;
	struct head h;

	memset(&h, 0, sizeof(h));
	h.seconds = s->earlier + clock_seconds() - s->start;
	h.memory = s->r->memory;
	h.in_pass = pass != NULL;
	k->begin(k->ctx);
	put(k, &h, sizeof(h));
	if (pass) {
		put_common(s, k, pass->tally);
		put_pass(s, k, pass);
	} else {
		put(k, s->pass_start, s->pass_start_size);
	}
	put(k, &end, sizeof(end));
	k->end(k->ctx);
	s->save_at = clock_seconds() + k->every;
}

void save_now(struct search *s, bool entered)
{
	size_t size = path_size(s, entered);
	void *path = xp.learned ? NULL : malloc(size);
	struct save_pass p = { .buffer_full = xp.buffer_full,
			       .depth = s->max_depth,
			       .paths = 1,
			       .states = s->states,
			       .transitions = s->m.transitions,
			       .edges = s->edge_count,
			       .path = (const void **)&path,
			       .tally = s->p->tally };

	if (path)
		SL_BUG_ON(path_leave(s, entered, path, size) != size);
	save_write(s, path ? &p : NULL);
	free(path);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int stale(struct search *s, const char *why)
{
	snprintf(s->r->text, sizeof(s->r->text), "%s", why);
	return -ESTALE;
}

static int ends_early(struct search *s)
{
	return stale(
		s,
		"found contents that are none of a search of this program; expected what it saved");
}

static bool get(const struct xs_source *from, void *bytes, size_t size)
{
	return !size || from->get(from->ctx, bytes, size);
}

static bool get_finding(const struct xs_source *from, const struct finding *f, struct xs_result *r)
{
	r->kind = f->kind;
	if (f->kind == XS_KIND_NONE)
		return true;
	if (f->kind >= SL_VIOLATION_COUNT || f->steps > DEPTH_MAX || f->loop_start > f->steps)
		return false;
	r->steps = f->steps;
	r->loop_start = f->loop_start;
	r->preemptions = f->preemptions;
	snprintf(r->id, sizeof(r->id), "%.*s", (int)sizeof(f->id) - 1, f->id);
	snprintf(r->text, sizeof(r->text), "%.*s", (int)sizeof(f->text) - 1, f->text);
	r->step = calloc(f->steps + 1u, sizeof(*r->step));
	return r->step && get(from, r->step, f->steps * sizeof(*r->step));
}

static bool get_known(const struct xs_source *from, const struct common *c)
{
	u64 granules = xp.arena_size / 8;
	struct knowledge k = { .count = c->known,
			       .shared_count = c->shared_count,
			       .spins = c->spins,
			       .busy_sites = c->busy_sites };
	bool good;

	if (c->known > granules)
		return false;
	k.known = calloc(c->known + 1, sizeof(*k.known));
	good = k.known && get(from, k.known, c->known * sizeof(*k.known));
	for (u64 i = 0; good && i < c->known; i++)
		good = k.known[i].granule < granules;
	if (good)
		knowledge_restore(&k);
	free(k.known);
	return good;
}

static bool get_common(struct search *s, const struct xs_source *from, struct common *c)
{
	struct xs_result *r = s->r;

	if (!get(from, c, sizeof(*c)) || c->limit > XS_LIMIT_LAST ||
	    c->tally_size != s->p->tally_size || !get_finding(from, &c->finding, r) ||
	    !get_finding(from, &c->spare, &s->spare) || !get_known(from, c) ||
	    !get(from, s->p->tally, c->tally_size))
		return false;
	r->passes = c->passes;
	r->limit = (enum xs_limit)c->limit;
	r->all_states = c->all_states;
	r->all_transitions = c->all_transitions;
	s->alone = c->alone;
	/* Several have had their turn. */
	if (s->alone)
		s->widen_at = ~0ull;
	xp.pass = c->pass_number;
	return true;
}

/* One has come as far as where several would have begun: they go on with it. */
static void leave_to_several(struct search *s)
{
	struct save_pass *p = &s->resumed->pass;

	if (p->several || s->alone || p->states < s->widen_at)
		return;
	p->several = true;
	if (!s->resumed->found)
		return;
	free(s->spare.step);
	s->spare = *s->r;
	s->r->step = NULL;
	s->r->kind = XS_KIND_NONE;
}

static bool get_pass_head(struct search *s, const struct xs_source *from, const struct common *c)
{
	struct saved *saved = calloc(1, sizeof(*saved));
	struct pass_head h;

	s->resumed = saved;
	if (!saved || !get(from, &h, sizeof(h)) || !h.states || !c->passes)
		return false;
	*saved = (struct saved){ .from = from,
				 .pass = { .several = h.several,
					   .buffer_full = h.buffer_full,
					   .depth = h.depth,
					   .paths = h.paths,
					   .states = h.states,
					   .transitions = h.transitions,
					   .edges = h.edges },
				 .pass_number = c->pass_number,
				 .found = c->found };
	/* It is gone on with, not begun. */
	s->r->passes--;
	leave_to_several(s);
	return true;
}

int save_open(struct search *s)
{
	const struct xs_source *from = s->o->resume;
	struct common c;
	struct head h;
	u64 end;

	if (!get(from, &h, sizeof(h)) || !get_common(s, from, &c))
		return ends_early(s);
	s->earlier = h.seconds;
	s->r->memory = h.memory;
	if (h.in_pass)
		return get_pass_head(s, from, &c) ? 0 : ends_early(s);
	return get(from, &end, sizeof(end)) && end == END ? 0 : ends_early(s);
}

static bool get_visited(struct search *s, const struct xs_source *from, u64 count)
{
	struct visited *v = &s->visited;
	u64 key = 0;

	for (u64 i = 0; i < count; i++) {
		u64 more, value = 0;
		bool fresh;
		s64 slot;

		if (!unpack(from, &more) || (v->value && !unpack(from, &value)))
			return false;
		key += more >> 1 ^ (0 - (more & 1));
		slot = key ? visited_insert(v, key, &fresh) : -1;
		if (slot < 0 || !fresh)
			return false;
		if (v->value)
			v->value[slot] = (u32)value;
	}
	return true;
}

static bool get_graph(struct search *s, const struct xs_source *from, const struct save_pass *p)
{
	return p->states < ID_STORE && p->edges < EDGE_STORE &&
	       get(from, s->edge, p->edges * sizeof(*s->edge)) &&
	       get(from, s->edge_first, p->states * sizeof(*s->edge_first)) &&
	       get(from, s->edge_n, p->states * sizeof(*s->edge_n)) &&
	       get(from, s->unfinished, p->states * sizeof(*s->unfinished)) &&
	       get(from, s->enabled, p->states * sizeof(*s->enabled)) &&
	       get(from, s->locking, p->states * sizeof(*s->locking));
}

static bool get_path(const struct xs_source *from, struct path_head **path)
{
	u64 size;

	if (!get(from, &size, sizeof(size)))
		return false;
	*path = malloc(size ? size : 1);
	return *path && get(from, *path, size) && path_is_whole(*path, size);
}

static bool get_paths(struct search *s)
{
	struct saved *saved = s->resumed;

	if (saved->pass.paths > XS_JOBS_MAX)
		return false;
	saved->path = calloc(saved->pass.paths + 1u, sizeof(*saved->path));
	for (u32 i = 0; saved->path && i < saved->pass.paths; i++)
		if (!get_path(saved->from, &saved->path[i]))
			return false;
	return saved->path != NULL;
}

/*
 * Do all paths lead through states that were visited, and is nothing learned on them? If not, this is another
 * program or another world, whatever the file says.
 */
static bool paths_fit(struct search *s)
{
	bool good = true;

	for (u32 i = 0; good && i < s->resumed->pass.paths; i++) {
		good = path_take(s, s->resumed->path[i]);
		search_go_back(s);
	}
	return good && !xp.learned;
}

int save_load(struct search *s)
{
	const struct saved *saved = s->resumed;
	const struct save_pass *p = &saved->pass;
	u64 end;

	xp.pass = saved->pass_number;
	if (!visited_reserve(&s->visited, p->states))
		return -ENOMEM;
	if (!get_visited(s, saved->from, p->states) ||
	    (s->graph && !get_graph(s, saved->from, p)) ||
	    (s->bounds && !bounds_load(s->bounds, saved->from)) || !get_paths(s) ||
	    !get(saved->from, &end, sizeof(end)) || end != END)
		return ends_early(s);
	if (!paths_fit(s))
		return stale(s, "found states that this world does not come to, here and with this "
				"program; expected the machine and program that saved it");
	s->states = p->states;
	s->m.transitions = p->transitions;
	s->max_depth = p->depth;
	s->edge_count = p->edges;
	s->found = saved->found;
	xp.buffer_full = p->buffer_full;
	/* A limit is for searching, not for reading. */
	s->earlier += clock_seconds() - s->start;
	s->start = clock_seconds();
	s->save_at = s->start + (s->keeper ? s->keeper->every : 0);
	return 0;
}

void save_walk(struct search *s, u32 first, u32 step)
{
	struct saved *saved = s->resumed;

	saved->next = first;
	while (saved->next < saved->pass.paths && !s->stop) {
		const struct path_head *path = saved->path[saved->next];

		saved->next += step;
		SL_BUG_ON(!path_take(s, path));
		search_walk_on(s, path->entered);
	}
}

void save_close(struct search *s)
{
	for (u32 i = 0; s->resumed && s->resumed->path && i < s->resumed->pass.paths; i++)
		free(s->resumed->path[i]);
	if (s->resumed)
		free(s->resumed->path);
	free(s->resumed);
	s->resumed = NULL;
}
