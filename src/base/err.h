/* SPDX-License-Identifier: MIT */
/*
 * The errno channel: a negative errno as return value, the explanation in struct sl_err. Used by
 * library calls that can be refused (bad input, no memory); never for statuses or findings.
 * Layer: base.
 */
#ifndef SL_BASE_ERR_H
#define SL_BASE_ERR_H

#include "base/types.h"

struct sl_err {
	char text[1280];
};

/* Stores the formatted text and returns @code (a negative errno). */
SL_PRINTF(3, 4) int sl_err_set(struct sl_err *err, int code, const char *fmt, ...);

#endif
