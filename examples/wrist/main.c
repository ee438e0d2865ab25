// A stream on the device: one sample of the sensor a call, an answer as soon as it is sure enough.
//
//   cc -O2 -I runs/wrist -o wrist examples/wrist/main.c -lm
//   ./wrist 0.9 < samples.txt
//
// student.h is what keras_snnkd.export.c_step writes. Samples are numbers in text, one line of student_INPUTS a sample. After each one this
// prints its number, the class by all samples so far, and how sure that is; it ends at the first that is as sure as the argument says.

#include <stdio.h>
#include <stdlib.h>

#include "student.h"

int main(int argc, char **argv) {
  const float enough = argc > 1 ? (float)atof(argv[1]) : 2.0f;  // 2 is never reached: all samples
  static student_state state;
  float sample[student_INPUTS], logits[student_CLASSES], confidence = 0.0f;

  student_reset(&state);
  while (confidence < enough) {
    for (int i = 0; i < student_INPUTS; i++)
      if (scanf("%f", &sample[i]) != 1) return 0;
    student_step(&state, sample, logits);
    const int label = student_answer(&state, &confidence);
    printf("%lu %d %.6f\n", state.steps, label, confidence);
  }
  return 0;
}
