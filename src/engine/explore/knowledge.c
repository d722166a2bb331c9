// SPDX-License-Identifier: MIT
/* What is known of granules. Layer: engine. */
#include "engine/explore/knowledge.h"

#include <fcntl.h>
#include <unistd.h>

#define PAGE     4096u
#define PER_PAGE (PAGE / sizeof(struct xp_granule))
/* Of an entry of /proc/self/pagemap: the page is there, or was swapped out. */
#define PAGE_USED (3ull << 62)
#define ENTRIES   1024u

/* ---- granules that were ever looked at ------------------------------------------------------- */

/*
 * Most of a large world's granules are on pages that nobody has touched. What the kernel does not tell
 * is taken for touched.
 */
struct pages {
	int fd;
	u64 first, count; /* of the entries that are there */
	u64 entry[ENTRIES];
};

static bool is_used(struct pages *p, u64 granule)
{
	u64 page = (u64)(uintptr_t)&xp.granule[granule] / PAGE;

	if (p->fd < 0)
		return true;
	if (page < p->first || page >= p->first + p->count) {
		ssize_t n = pread(p->fd, p->entry, sizeof(p->entry),
				  (off_t)(page * sizeof(p->entry[0])));

		p->first = page;
		p->count = n > 0 ? (u64)n / sizeof(p->entry[0]) : 0;
	}
	return !p->count || (p->entry[page - p->first] & PAGE_USED);
}

static struct pages pages_open(void)
{
	return (struct pages){ .fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) };
}

static void pages_close(const struct pages *p)
{
	if (p->fd >= 0)
		close(p->fd);
}

/* The next granule from @g on that is on a page in use; the number of granules if there is none. */
static u64 next_used(struct pages *p, u64 g)
{
	u64 all = xp.arena_size / 8;

	while (g < all && g % PER_PAGE == 0 && !is_used(p, g))
		g += PER_PAGE;
	return g < all ? g : all;
}

/* Does it say more than what each granule has from the start? */
static bool is_news(const struct xp_granule *m)
{
	u16 accessed = 0;

	for (u32 i = 0; m->pass == xp.pass && i < 4; i++)
		accessed |= m->read_by[i] | m->written_by[i];
	return m->touched_by || (m->flags & ~XP_CANON) || m->decides || m->watched || accessed;
}

/* ---- lists ----------------------------------------------------------------------------------- */

u64 knowledge_size(void)
{
	struct pages p = pages_open();
	u64 n = 0;

	for (u64 g = 0; (g = next_used(&p, g)) < xp.arena_size / 8; g++)
		n += is_news(&xp.granule[g]);
	pages_close(&p);
	return n;
}

bool knowledge_collect(struct knowledge *k, u64 room)
{
	struct pages p = pages_open();
	u64 n = 0;

	for (u64 g = 0; (g = next_used(&p, g)) < xp.arena_size / 8; g++) {
		if (!is_news(&xp.granule[g]))
			continue;
		if (n < room)
			k->known[n] = (struct known){ .granule = (u32)g, .is = xp.granule[g] };
		n++;
	}
	pages_close(&p);
	k->count = n < room ? n : room;
	k->shared_count = xp.shared_count;
	k->spins = xp.spins;
	k->busy_sites = xp.busy_sites;
	k->learned = xp.learned;
	return n <= room;
}

/* But for the stamp, which belongs to the undo log. */
static void put(struct xp_granule *m, const struct xp_granule *is)
{
	u32 stamp = m->stamp;

	*m = *is;
	m->stamp = stamp;
}

void knowledge_restore(const struct knowledge *k)
{
	for (u64 i = 0; i < k->count; i++)
		put(&xp.granule[k->known[i].granule], &k->known[i].is);
	xp.shared_count = k->shared_count;
	xp.spins = k->spins;
	xp.busy_sites = k->busy_sites;
	xp.learned = k->learned;
}

/* ---- several that learn ---------------------------------------------------------------------- */

static void add(struct xp_granule *m, const struct xp_granule *is)
{
	m->touched_by |= is->touched_by;
	m->flags |= is->flags;
	m->decides |= is->decides;
	m->watched |= is->watched;
	/* Counted here, whoever has found it first. */
	xp_share(m, is->shared);
	xp_refresh(m);
	for (u32 i = 0; is->pass == xp.pass && i < 4; i++) {
		m->read_by[i] |= is->read_by[i];
		m->written_by[i] |= is->written_by[i];
	}
}

/*
 * What one that has seen all of it would have noticed: the rules of hooks.c, and that nobody has gone by less
 * than all know. @is is what one process knows, @m what all know.
 */
static void compare(struct xp_granule *m, const struct xp_granule *is)
{
	u8 touched = 0;

	for (u32 i = 0; i < 4; i++) {
		if (is->pass == xp.pass && (is->read_by[i] | is->written_by[i]))
			touched |= (u8)(1u << i);
		xp_learn(m, i);
	}
	/* It has taken for a constant what is none. */
	if ((m->flags & ~is->flags & XP_WRITTEN) && is->touched_by)
		xp.learned = true;
	/* It has forgotten reader counts that matter. */
	if (m->decides & ~is->decides & touched)
		xp.learned = true;
	if ((m->flags & (XP_WRITTEN | XP_PLAIN | XP_CONTESTED)) == (XP_WRITTEN | XP_PLAIN) &&
	    (m->touched_by & (m->touched_by - 1))) {
		m->flags |= XP_CONTESTED;
		xp.learned = true;
	}
	/* It has not looked for races there. */
	if (m->flags & ~is->flags & XP_CONTESTED)
		xp.learned = true;
}

void knowledge_merge(const struct knowledge *const *k, u32 count)
{
	u32 spins = xp.spins;

	for (u32 i = 0; i < count; i++) {
		xp.learned |= k[i]->learned;
		xp.busy_sites |= k[i]->busy_sites;
		xp.spins += k[i]->spins - spins;
		for (u64 n = 0; n < k[i]->count; n++)
			add(&xp.granule[k[i]->known[n].granule], &k[i]->known[n].is);
	}
	if (xp.spins > XP_SPINS_MAX)
		xp.spins = XP_SPINS_MAX;
	for (u32 i = 0; i < count; i++)
		for (u64 n = 0; n < k[i]->count; n++)
			compare(&xp.granule[k[i]->known[n].granule], &k[i]->known[n].is);
}
