// SPDX-License-Identifier: MIT
/* Numbers on command lines. Layer: base. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <seamlab/number.h>

bool sl_number(const char *text, double max, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return !errno && end != text && !*end && isfinite(*value) && *value >= 0 && *value <= max;
}
