// SPDX-License-Identifier: MIT
/* The same message three ways that are in order: by release, by fences, by a relaxed word between. */
#include <seamlab/explore.h>

#include <stdatomic.h>

static int message, other;
static atomic_int ready, fenced;

SL_THREAD(sender)
{
	message = 42;
	atomic_store_explicit(&ready, 1, memory_order_release);
	other = 43;
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&fenced, 1, memory_order_relaxed);
}

SL_THREAD(counter)
{
	/* A read-modify-write goes on with what the release has begun. */
	atomic_fetch_add_explicit(&ready, 1, memory_order_relaxed);
}

SL_THREAD(receiver)
{
	if (atomic_load_explicit(&ready, memory_order_acquire) > 1 && message != 42)
		sl_assert(atomic_load(&ready) == 1);
	if (atomic_load_explicit(&fenced, memory_order_relaxed)) {
		atomic_thread_fence(memory_order_acquire);
		sl_assert(other == 43);
	}
}
