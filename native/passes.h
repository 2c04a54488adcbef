// The entry points of one instruction set, gathered by table.cc.
#pragma once

#include "kernels.h"

namespace unspool::UNSPOOL_ISA {

void rnn_forward(const RnnForward& io, int threads);
void rnn_backward(const RnnBackward& io, int threads);
void lstm_forward(const LstmForward& io, int threads);
void lstm_backward(const LstmBackward& io, int threads);
void gru_forward(const GruForward& io, int threads);
void gru_backward(const GruBackward& io, int threads);
void weight_gradient(const WeightGradient& io, int threads);
void table_rows(const TableRows& io, int threads);
void table_gradient(const TableGradient& io, int threads);
void sample(const Sample& io, int threads);

}  // namespace unspool::UNSPOOL_ISA
