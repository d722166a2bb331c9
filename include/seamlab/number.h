/* SPDX-License-Identifier: MIT */
/* Numbers on command lines: of the program, and of programs made by seamlab-cc. */
#ifndef SEAMLAB_NUMBER_H
#define SEAMLAB_NUMBER_H

#include <stdbool.h>

#include <seamlab/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* True, and *value, if @text is a number from 0 to @max and nothing else. */
SL_API bool sl_number(const char *text, double max, double *value);

#ifdef __cplusplus
}
#endif

#endif
