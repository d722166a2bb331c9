/* SPDX-License-Identifier: MIT */
/* Regions of address space that take memory as they are used. Layer: engine. */
#ifndef SL_ENGINE_REGION_H
#define SL_ENGINE_REGION_H

#include <sys/mman.h>

#include "base/bug.h"
#include "base/types.h"

/* Zeroed; NULL if there is no such address space. */
static inline void *region_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * The same for what is used from end to end: a page fault costs less than it would in small pages. The
 * beginning is in small ones all the same: many a search uses no more than that, and to clear a large
 * page takes longer than the search.
 */
#define REGION_SMALL (1ull << 21)

static inline void *region_map_huge(size_t size)
{
	u8 *p = region_map(size);

	if (p && size > REGION_SMALL)
		madvise(p + REGION_SMALL, size - REGION_SMALL, MADV_HUGEPAGE);
	return p;
}

/* Zeroed again; takes as long as what was used of it is large. */
static inline void region_clear(void *p, size_t size)
{
	SL_BUG_ON(madvise(p, size, MADV_DONTNEED));
}

/* The same for what a process and those that it forks write in common. */
static inline void *region_map_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline void region_unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

#endif
