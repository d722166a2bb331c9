// SPDX-License-Identifier: MIT
/* Error texts. Layer: base. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int sl_err_set(struct sl_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}
