// SPDX-License-Identifier: MIT
/* Reporting of defects of seamlab itself. Layer: base. */
#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>

void sl_bug(const char *file, int line, const char *func, const char *what)
{
	fprintf(stderr, "seamlab: BUG at %s:%d (%s): %s\n", file, line, func, what);
	abort();
}
