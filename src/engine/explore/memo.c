// SPDX-License-Identifier: MIT
/* Images of lanes, and trees of their steps. Layer: engine. */
#include "engine/explore/memo.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "engine/explore/region.h"

/* Room; nothing new is kept once one of them is full. */
#define IMAGES    (1u << 22)
#define HEADS     (1u << 14)
#define STACKS    (1ull << 29)
#define NODES     (1u << 25)
#define POOL      (1ull << 28)
#define FINDS_MAX 8192u

/* Instead of a granule: the answer to a choice; and behind the last granule: what the step does. */
#define CHOICE 0xFFFFFFFEu
#define LEAF   0xFFFFFFFFu

struct image {
	u64 key;
	u64 digest;
	u64 stack_at;
	u32 stack_len;
	u32 first; /* node, or 0: no step is known */
	u32 next;  /* image whose key begins with the same bits, or MEMO_NONE */
	struct xp_fiber fiber;
};

struct node {
	u64 value; /* LEAF: where in the pool */
	u32 granule;
	u32 next;  /* node, if the granule has that value */
	u32 other; /* node about the same granule, or 0 */
};

struct write {
	u64 value;
	u32 granule;
};

/* What a step has done: its writes come behind it, then its accesses. */
struct memo_leaf {
	u64 hash; /* what it adds to the arena's */
	u64 reads, writes;
	u32 image; /* whom it leaves */
	u32 write_count;
	u32 count, released, apart;
	bool overflow;
};

struct memo {
	struct image *image;
	u8 *stack;
	struct node *node;
	u8 *pool;
	u32 head[HEADS]; /* images by the first bits of their keys */
	u32 images, nodes;
	u64 stack_used, pool_used;
	/* For each lane: who it is, and whose stack it stands on. */
	u32 is[XP_LANES_MAX], on_stack[XP_LANES_MAX];
	struct xp_finds finds;
};

/* ---- room -------------------------------------------------------------------------------------- */

struct memo *memo_new(void)
{
	struct memo *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->image = region_map(IMAGES * sizeof(*k->image));
	k->stack = region_map(STACKS);
	k->node = region_map(NODES * sizeof(*k->node));
	k->pool = region_map(POOL);
	k->finds.at = region_map(FINDS_MAX * sizeof(*k->finds.at));
	k->finds.stamp = region_map(xp.arena_size / 8 * sizeof(*k->finds.stamp));
	k->finds.most = FINDS_MAX;
	k->images = k->nodes = 1;
	if (!k->image || !k->stack || !k->node || !k->pool || !k->finds.at || !k->finds.stamp) {
		memo_free(k);
		return NULL;
	}
	return k;
}

void memo_free(struct memo *k)
{
	if (!k)
		return;
	region_unmap(k->image, IMAGES * sizeof(*k->image));
	region_unmap(k->stack, STACKS);
	region_unmap(k->node, NODES * sizeof(*k->node));
	region_unmap(k->pool, POOL);
	region_unmap(k->finds.at, FINDS_MAX * sizeof(*k->finds.at));
	region_unmap(k->finds.stamp, xp.arena_size / 8 * sizeof(*k->finds.stamp));
	free(k);
}

void memo_clear(struct memo *k)
{
	memset(k->head, 0, sizeof(k->head));
	k->images = k->nodes = 1;
	k->stack_used = k->pool_used = 0;
	memset(k->is, 0, sizeof(k->is));
	memset(k->on_stack, 0, sizeof(k->on_stack));
}

size_t memo_bytes(const struct memo *k)
{
	return k->images * sizeof(struct image) + k->nodes * sizeof(struct node) + k->stack_used +
	       k->pool_used;
}

static u32 new_node(struct memo *k, u32 granule, u64 value)
{
	k->node[k->nodes] = (struct node){ .granule = granule, .value = value };
	return k->nodes++;
}

/* Of a step that has found so much, and written as much at most. */
static bool has_room(const struct memo *k, u32 finds)
{
	return k->nodes + finds + 2 <= NODES &&
	       k->pool_used + sizeof(struct memo_leaf) + finds * sizeof(struct write) +
			       XP_FOOTPRINT_MAX * sizeof(struct xp_access) <=
		       POOL;
}

/* ---- images ------------------------------------------------------------------------------------ */

/* Where the number of the image with that key stands, or will stand. */
static u32 *place_of(struct memo *k, u64 key)
{
	u32 *at = &k->head[key % HEADS];

	while (*at && k->image[*at].key != key)
		at = &k->image[*at].next;
	return at;
}

/*
 * What the lane has seen is not enough: a checkpoint may have left out what the arena says as well, and there the image
 * will stand before another arena.
 */
static u64 key_of(const struct machine *m, u32 i, const u64 *stack, u32 len)
{
	const struct xp_fiber *f = &xp.fiber[i];
	u64 key = xp_mix(xp_mix(xp_mix(m->digest[i], i), f->base), f->pending.arg);

	for (u32 n = 0; n < len / 8; n++)
		key = xp_mix(key, stack[n]);
	return key;
}

u32 memo_image(struct memo *k, const struct machine *m, u32 i)
{
	const struct xp_fiber *f = &xp.fiber[i];
	u32 len = (u32)(xp_context_top(i) - (u8 *)f->sp);
	u32 *place;
	u64 key;

	if (k->is[i] != MEMO_NONE)
		return k->is[i];
	key = key_of(m, i, f->sp, len);
	place = place_of(k, key);
	if (!*place) {
		if (k->images == IMAGES || k->stack_used + len > STACKS)
			return MEMO_NONE;
		k->image[k->images] = (struct image){ .key = key,
						      .digest = m->digest[i],
						      .stack_at = k->stack_used,
						      .stack_len = len,
						      .fiber = *f };
		memcpy(k->stack + k->stack_used, f->sp, len);
		k->stack_used += (len + 15) & ~15u;
		*place = k->images++;
	}
	k->is[i] = k->on_stack[i] = *place;
	return *place;
}

void memo_leave(struct memo *k, u32 i)
{
	k->is[i] = k->on_stack[i] = MEMO_NONE;
}

void memo_go_back(struct memo *k, u32 i, u32 image)
{
	k->is[i] = image;
	xp.fiber[i] = k->image[image].fiber;
}

/* The lane's stack as it was when it had the image that it has. */
static void put_back(struct memo *k, u32 i)
{
	const struct image *im = &k->image[k->is[i]];

	if (k->on_stack[i] == k->is[i])
		return;
	xp.fiber[i] = im->fiber;
	memcpy(im->fiber.sp, k->stack + im->stack_at, im->stack_len);
	k->on_stack[i] = k->is[i];
}

/* ---- steps ------------------------------------------------------------------------------------- */

const struct memo_leaf *memo_find(const struct memo *k, u32 i, u32 choice)
{
	u32 at = k->image[k->is[i]].first;

	if (at && k->node[at].granule == CHOICE) {
		while (at && k->node[at].value != choice)
			at = k->node[at].other;
		at = at ? k->node[at].next : 0;
	}
	while (at) {
		const struct node *n = &k->node[at];

		if (n->granule == LEAF)
			return (const void *)(k->pool + n->value);
		at = *xp_granule(n->granule) == n->value ? n->next : n->other;
	}
	return NULL;
}

static void put_footprint(struct machine *m, const struct memo_leaf *l)
{
	struct xp_footprint *fp = &m->footprint;
	const struct write *w = (const void *)(l + 1);

	xp.fp = fp;
	fp->reads = l->reads;
	fp->writes = l->writes;
	fp->count = l->count;
	fp->released = l->released;
	fp->apart = l->apart;
	fp->overflow = l->overflow;
	if (l->count)
		memcpy(fp->access, w + l->write_count, l->count * sizeof(fp->access[0]));
}

void memo_foresee(const struct memo *k, struct machine *m, u32 i, const struct memo_leaf *l,
		  u64 *arena_hash, u64 *lanes_hash)
{
	put_footprint(m, l);
	*arena_hash = xp.hash + l->hash;
	*lanes_hash = m->lanes_hash + k->image[l->image].digest - m->digest[i];
	xp.violated = false;
	m->transitions++;
}

void memo_step(struct memo *k, struct machine *m, u32 i, const struct memo_leaf *l)
{
	const struct write *w = (const void *)(l + 1);
	u64 digest = k->image[l->image].digest;

	SL_BUG_ON(xp.undo_count + l->write_count > xp.undo_max);
	put_footprint(m, l);
	for (u32 n = 0; n < l->write_count; n++) {
		u64 *granule = xp_granule(w[n].granule);

		xp.undo[xp.undo_count++] =
			(struct xp_undo){ .granule = w[n].granule, .old = *granule };
		*granule = w[n].value;
	}
	xp.hash += l->hash;
	xp.violated = false;
	m->lanes_hash += digest - m->digest[i];
	m->digest[i] = digest;
	m->transitions++;
	memo_go_back(k, i, l->image);
}

/* The leaf of the step that the machine has just run, @before it the hash and the undo log's length. */
static u32 keep_leaf(struct memo *k, u32 image, u64 hash, size_t mark)
{
	u32 writes = (u32)(xp.undo_count - mark);
	struct memo_leaf *l = (void *)(k->pool + k->pool_used);
	struct write *w = (void *)(l + 1);
	size_t accesses = xp.fp->count * sizeof(xp.fp->access[0]);

	*l = (struct memo_leaf){ .hash = xp.hash - hash,
				 .reads = xp.fp->reads,
				 .writes = xp.fp->writes,
				 .image = image,
				 .write_count = writes,
				 .count = xp.fp->count,
				 .released = xp.fp->released,
				 .apart = xp.fp->apart,
				 .overflow = xp.fp->overflow };
	for (u32 n = 0; n < writes; n++)
		w[n] = (struct write){ .granule = xp.undo[mark + n].granule,
				       .value = *xp_granule(xp.undo[mark + n].granule) };
	memcpy(w + writes, xp.fp->access, accesses);
	k->pool_used += sizeof(*l) + writes * sizeof(*w) + accesses;
	k->pool_used = (k->pool_used + 15) & ~15ull;
	return new_node(k, LEAF, (u64)((u8 *)l - k->pool));
}

/*
 * Down the tree as far as it is known; *link is where it has to go on. False: at one place of the tree the step
 * has looked at another granule than one before it.
 */
static bool find_end(struct memo *k, u32 **link, u32 granule, u64 value)
{
	u32 *at = *link;

	while (*at) {
		struct node *n = &k->node[*at];

		if (n->granule != granule)
			return false;
		if (n->value == value) {
			*link = &n->next;
			return true;
		}
		at = &n->other;
	}
	*at = new_node(k, granule, value);
	*link = &k->node[*at].next;
	return true;
}

static bool keep_step(struct memo *k, u32 from, u32 to, u32 choice, u64 hash, size_t mark)
{
	u32 *link = &k->image[from].first;

	if (!has_room(k, k->finds.count) || k->finds.count == k->finds.most)
		return true;
	if (k->image[from].fiber.pending.kind == XP_CHOICE && !find_end(k, &link, CHOICE, choice))
		return false;
	for (u32 n = 0; n < k->finds.count; n++)
		if (!find_end(k, &link, k->finds.at[n].granule, k->finds.at[n].old))
			return false;
	if (*link)
		return k->node[*link].granule == LEAF;
	*link = keep_leaf(k, to, hash, mark);
	return true;
}

bool memo_run(struct memo *k, struct machine *m, u32 i, u32 choice)
{
	u32 from = k->is[i], to;
	size_t mark = xp.undo_count;
	u64 hash = xp.hash;

	put_back(k, i);
	xp_finds_begin(&k->finds);
	machine_step(m, i, choice);
	xp.finds = NULL;
	memo_leave(k, i);
	if (xp.violated)
		return true;
	to = memo_image(k, m, i);
	return to == MEMO_NONE || keep_step(k, from, to, choice, hash, mark);
}
