/* SPDX-License-Identifier: MIT */
/*
 * SL_BUG_ON: a check on seamlab itself, always compiled in. A failed one is a defect of this
 * program, never a finding about the modelled system, so it prints the place and aborts.
 * Layer: base.
 */
#ifndef SL_BASE_BUG_H
#define SL_BASE_BUG_H

/* Prints "seamlab: BUG at file:line (func): what" to standard error and aborts. */
__attribute__((noreturn, cold)) void sl_bug(const char *file, int line, const char *func,
					    const char *what);

#define SL_BUG_ON(cond)                                              \
	do {                                                         \
		if (__builtin_expect(!!(cond), 0))                   \
			sl_bug(__FILE__, __LINE__, __func__, #cond); \
	} while (0)

#endif
