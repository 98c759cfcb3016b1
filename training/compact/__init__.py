"""The compact model: material, mixtures, teachers, distillation, rows, checkpoint."""
