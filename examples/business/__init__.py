"""A small business: customers, offers that become invoices, money, taxes, dunning and reports, in German and English.

demijohn -A examples.business.app migrate && demijohn -A examples.business.app db seed
demijohn run examples.business.app
"""
