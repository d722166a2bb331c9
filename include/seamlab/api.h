/* SPDX-License-Identifier: MIT */
/* What the shared library shows: it is built with hidden visibility, and this makes a symbol public. */
#ifndef SEAMLAB_API_H
#define SEAMLAB_API_H

#if defined(__GNUC__)
#define SL_API __attribute__((visibility("default")))
#else
#define SL_API
#endif

#endif
