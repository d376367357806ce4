"""A shop: twenty models, orders and payments in transactions, reports by window functions, JSON and pages.

demijohn run examples.shop.app
"""
