// SPDX-License-Identifier: MIT
/* A spin lock whose loops say nothing of themselves; the data behind it is plain. */
#include <seamlab/explore.h>
#include <stdatomic.h>

static atomic_int word, inside;
static int sum;

static void lock(void)
{
	for (;;) {
		int free = 0;

		while (atomic_load(&word)) {
		}
		if (atomic_compare_exchange_weak(&word, &free, 1))
			return;
	}
}

SL_THREADS(spinner, 3)
{
	for (int i = 0; i < 2; i++) {
		lock();
		inside++;
		sum++;
		inside--;
		atomic_store(&word, 0);
	}
}

SL_INVARIANT(mutual_exclusion)
{
	return inside <= 1;
}

SL_FINALLY(all_counted)
{
	return sum == 6;
}
