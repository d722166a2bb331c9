// SPDX-License-Identifier: MIT
/* Each gives way when it sees that the other one wants to get in. The loop says nothing of itself. */
#include <seamlab/explore.h>
#include <stdatomic.h>

static atomic_int wants[2];

SL_THREADS(polite, 2)
{
	for (;;) {
		atomic_store(&wants[me], 1);
		if (!atomic_load(&wants[1 - me]))
			break;
		atomic_store(&wants[me], 0);
	}
	atomic_store(&wants[me], 0);
}
