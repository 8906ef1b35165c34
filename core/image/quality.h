/* The flaws that lower the quality of a face. */
#ifndef KITH_CORE_IMAGE_QUALITY_H
#define KITH_CORE_IMAGE_QUALITY_H

enum quality_flaw { FLAW_SIZE, FLAW_SHARPNESS, FLAW_CONTRAST, FLAW_POSE, FLAW_DETECTOR, FLAWS };

/* A text for people, such as "it is too blurred"; "" when `flaw` is none. */
static inline const char *quality_flaw_words(int flaw)
{
    static const char *const words[FLAWS] = {"the face is too small", "it is too blurred", "it has too little contrast",
                                             "the face is turned away",
                                             "it hardly looks like a face, or something covers it"};

    return flaw >= 0 && flaw < FLAWS ? words[flaw] : "";
}

#endif
